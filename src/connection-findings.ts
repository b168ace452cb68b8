import { modeFindings } from './connection-mode-findings.ts'
import { parseConnectionString } from './connection-string.ts'
import type { ConnectionTarget } from './connection-target.ts'
import { splitConnectionString } from './connection-text.ts'
import { NullpoolError } from './errors.ts'

/** Everything that can be said about a connection string; closed, so that a `switch` can be complete. */
export type FindingCode =
  | 'unparsable'
  | 'placeholder-password'
  | 'missing-password'
  | 'unescaped-password'
  | 'session-port'
  | 'mode-unknown'
  | 'direct-host'
  | 'direct-host-ipv6'
  | 'dedicated-pooler-ipv6'
  | 'neon-direct'
  | 'user-without-reference'
  | 'user-with-reference'
  | 'name-too-long'
  | 'supabase-db-url-is-direct'
  | 'hyperdrive-to-pooler'
  | 'hyperdrive-ambiguous'
  | 'host-underscore'
  | 'sslmode-disable'
  | 'sslmode-not-verified'
  | 'ignored-parameter'

/** One thing to know about a connection string. No field ever holds the password. */
export interface Finding {
  /** `error`: cannot work. `warning`: works, and hurts. `info`: good to know. */
  level: 'error' | 'warning' | 'info'
  code: FindingCode
  /** What is so, in a sentence. */
  message: string
  /** The exact change. */
  fix: string
}

/** Where a connection string comes from, which decides what is wrong with it. */
export interface ConnectionOrigin {
  /** The variable or binding that holds it, for example `SUPABASE_DB_URL`. */
  variable?: string
  /** The runtime that uses it, for example `workers`. A long-lived server is `stationary`. */
  runtime?: string
  /** Whether it is what a Hyperdrive configuration points at. */
  hyperdriveOrigin?: boolean
  /** Whether a Hyperdrive binding gave it, in local development the server's own. */
  hyperdriveBinding?: boolean
}

const IN_FRONT = 'it belongs in front of the ?: postgres://user:password@host:port/database'

/** Why well-known parameters are not sent. */
const REASONS: ReadonlyMap<string, string> = new Map([
  ['pgbouncer', 'it speaks to Prisma'],
  ['connection_limit', 'it speaks to Prisma; a request has one connection here'],
  ['pool_timeout', 'it speaks to Prisma'],
  ['schema', 'it speaks to Prisma; name the schema in SQL'],
  ['workaround', 'it speaks to @vercel/postgres'],
  ['channel_binding', 'edge runtimes cannot read the certificate that it binds to'],
  ['options', 'poolers refuse it; use set_config(…, true) inside of the transaction'],
  ['search_path', 'poolers refuse it; use set_config(…, true) inside of the transaction'],
  ['statement_timeout', 'poolers refuse it; use set_config(…, true) inside of the transaction'],
  ['supa', 'it speaks to a dashboard'],
  ['user', IN_FRONT],
  ['password', IN_FRONT],
  ['host', IN_FRONT],
  ['port', IN_FRONT],
  ['dbname', IN_FRONT],
])

/**
 * Explains a connection string: what cannot work, what hurts, and the exact change for each.
 *
 * Never throws and never shows the password; a text that is no connection string is a finding itself.
 * Looks at the text alone: whether the server answers, and whether the password is right, it cannot say.
 *
 * @see https://supabase.com/docs/guides/database/connecting-to-postgres
 *
 * @example
 * ```ts
 * import { diagnoseConnectionString } from 'nullpool'
 *
 * const text = 'postgres://postgres.ref:secret@aws-0-eu-west-1.pooler.supabase.com:5432/postgres'
 * for (const { level, message, fix } of diagnoseConnectionString(text)) {
 *   console.warn(`${level}: ${message} ${fix}`)
 * }
 * ```
 */
export function diagnoseConnectionString(text: string, where: ConnectionOrigin = {}): Finding[] {
  try {
    const target = parseConnectionString(text)
    return [
      ...passwordFindings(text, target),
      ...(where.runtime === 'stationary' ? [] : modeFindings(target, where)),
      ...nameFindings(target),
      ...tlsFindings(target),
      ...target.ignored.map(ignoredParameter),
    ]
  } catch (error) {
    return [unparsable(error)]
  }
}

/** Quotes errors of ours alone; nobody knows what another holds. */
function unparsable(error: unknown): Finding {
  const known = NullpoolError.is(error) ? error : undefined
  const fix = known?.hint ?? 'Copy the connection string again.'
  const message = known?.message.replace(fix, '').trim() ?? 'The text cannot be read.'
  return { level: 'error', code: 'unparsable', message, fix }
}

/** What dashboards and examples show in the place of a password, also masked. */
const PLACEHOLDER =
  /^(?:[[<{]+[a-z _-]*password[\]>}]+|your[ _-](?:[a-z]+[ _-])?password|\*{3,}|•{3,})$/i

function passwordFindings(text: string, target: ConnectionTarget): Finding[] {
  const { provider } = target
  const password = target.revealPassword()
  if (PLACEHOLDER.test(password)) {
    return [
      {
        level: 'error',
        code: 'placeholder-password',
        message: 'The password is still a placeholder.',
        fix: 'Put the database password in its place, without brackets; reset it in the database settings if it is lost.',
      },
    ]
  }
  if (password === '' && provider !== 'loopback' && provider !== 'hyperdrive') {
    const message = 'There is no password.'
    const fix = 'Write it behind the user: postgres://user:password@host.'
    return [{ level: 'warning', code: 'missing-password', message, fix }]
  }
  const raw = splitConnectionString(text).password ?? ''
  if (!/[@/?#:\s[\]]|%(?![0-9a-f]{2})/i.test(raw)) return []
  return [
    {
      level: 'info',
      code: 'unescaped-password',
      message: 'The password holds characters that other tools read as parts of the URL.',
      fix: 'Percent-encode it: @ is %40, # is %23, / is %2F, ? is %3F, : is %3A, % is %25, [ is %5B, ] is %5D, a space is %20.',
    },
  ]
}

function nameFindings({ provider, user, database, host, projectRef }: ConnectionTarget): Finding[] {
  const findings: Finding[] = []
  const role = user.replace(/\.[^.]*$/, '')
  const isPlaceholder = /[[\]<>{}]|\.your[-_]/i.test(user)
  if (provider === 'supabase-shared' && (isPlaceholder || !/.\.[^.]+$/.test(user))) {
    const lacks = isPlaceholder ? 'holds a placeholder for the reference' : 'lacks the reference'
    findings.push({
      level: 'error',
      code: 'user-without-reference',
      message: `The shared pooler cannot tell the project: the user ${lacks}.`,
      fix: `Change the user to ${role}.<project ref>; the reference is in the dashboard's address.`,
    })
  }
  const ends = user.endsWith(`.${projectRef}`) || /^[^.]+\.[a-z0-9]{20}$/.test(user)
  if (/^supabase-d/.test(provider) && ends) {
    findings.push({
      level: 'error',
      code: 'user-with-reference',
      message: 'The reference belongs into the user for the shared pooler only.',
      fix: `Change the user to ${role}.`,
    })
  }
  // The pooler takes the reference off before it counts.
  const name = projectRef === undefined ? user : role
  if (provider === 'supabase-shared' && [name, database].some((one) => byteLength(one) > 63)) {
    const message = 'The pooler takes at most 63 bytes for a role and for a database.'
    findings.push({ level: 'error', code: 'name-too-long', message, fix: 'Use a shorter name.' })
  }
  if (host.includes('_')) {
    findings.push({
      level: 'warning',
      code: 'host-underscore',
      message: 'A host name with an underscore is refused by Deno and by certificates.',
      fix: 'Use a name with dashes, or the address.',
    })
  }
  return findings
}

/** What a mode leaves out in libpq, whose word it is. */
const SSL_GAPS: ReadonlyMap<string, string> = new Map([
  ['allow', 'takes plaintext where TLS is not asked for'],
  ['prefer', 'takes plaintext where there is no TLS'],
  ['require', 'encrypts without verifying the server'],
  ['no-verify', 'is unknown, and means elsewhere that the server is not verified'],
  ['verify-ca', 'leaves the name of the server unverified'],
])

function tlsFindings({ sslMode = '', provider }: ConnectionTarget): Finding[] {
  if (provider === 'hyperdrive') return []
  if (sslMode === 'disable' && provider !== 'loopback') {
    return [
      {
        level: 'warning',
        code: 'sslmode-disable',
        message: 'Password and rows travel in clear.',
        fix: 'Remove sslmode=disable, or change it to sslmode=verify-full.',
      },
    ]
  }
  const gap = SSL_GAPS.get(sslMode)
  if (gap === undefined || (provider === 'loopback' && /^(allow|prefer)$/.test(sslMode))) return []
  const certificate = provider.startsWith('supabase')
    ? ' They need the root certificate from the dashboard for it.'
    : ''
  return [
    {
      level: 'info',
      code: 'sslmode-not-verified',
      message: `In libpq sslmode=${sslMode} ${gap}; here the server is verified, its name too.`,
      fix: `Write sslmode=verify-full, so that other tools do the same.${certificate}`,
    },
  ]
}

function ignoredParameter(name: string): Finding {
  const why = REASONS.get(name) ?? 'a pooler may refuse the connection for it'
  const shown = name.replace(/[^\x20-\x7e]/g, '').slice(0, 63)
  return {
    level: 'info',
    code: 'ignored-parameter',
    message: `The parameter ${shown} is not sent: ${why}.`,
    fix: REASONS.get(name) === IN_FRONT ? 'Move it there.' : 'Remove it: it changes nothing here.',
  }
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length
}
