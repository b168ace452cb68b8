import { parseConnectionString, splitConnectionString } from './connection-string.ts'
import type { ConnectionTarget } from './connection-target.ts'
import { NullpoolError } from './errors.ts'

/** Everything that can be said about a connection string; closed, so that a `switch` can be complete. */
export type FindingCode =
  | 'unparsable'
  | 'placeholder-password'
  | 'missing-password'
  | 'unescaped-password'
  | 'session-port'
  | 'direct-host'
  | 'direct-host-ipv6'
  | 'dedicated-pooler-ipv6'
  | 'neon-direct'
  | 'user-without-reference'
  | 'user-with-reference'
  | 'name-too-long'
  | 'supabase-db-url-is-direct'
  | 'hyperdrive-to-pooler'
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
}

const COPY_POOLER =
  'Copy the transaction pooler string from the dashboard (Connect, Transaction pooler): aws-…pooler.supabase.com, port 6543. Its host cannot be derived from this one.'

/** Why well-known parameters are not sent. */
const KNOWN_PARAMETERS: Readonly<Record<string, string>> = {
  pgbouncer: 'it speaks to Prisma',
  connection_limit: 'it speaks to Prisma; a request has one connection here',
  pool_timeout: 'it speaks to Prisma',
  schema: 'it speaks to Prisma; name the schema in SQL',
  workaround: 'it speaks to @vercel/postgres',
  channel_binding: 'edge runtimes cannot read the certificate that it binds to',
  options: 'poolers refuse it; use set_config(…, true) inside of the transaction',
  supa: 'it speaks to a dashboard',
}

/**
 * Explains a connection string: what cannot work, what hurts, and the exact change for each.
 *
 * Never throws and never shows the password. Says nothing about whether the server answers.
 *
 * @see https://supabase.com/docs/guides/database/connecting-to-postgres
 *
 * @example
 * ```ts
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
    const hint = NullpoolError.is(error) ? error.hint : undefined
    const message = error instanceof Error ? error.message : 'The text cannot be read.'
    const plain = hint === undefined ? message : message.replace(hint, '').trim()
    return [{ level: 'error', code: 'unparsable', message: plain, fix: hint ?? 'Copy it again.' }]
  }
}

function passwordFindings(text: string, target: ConnectionTarget): Finding[] {
  const { provider } = target
  const password = target.revealPassword()
  if (/^\[[A-Z _-]*PASSWORD\]$|^<[a-z _-]*password>$/i.test(password)) {
    return [
      {
        level: 'error',
        code: 'placeholder-password',
        message: 'The password is still the placeholder of the dashboard.',
        fix: 'Put the database password in its place; reset it under Database settings if it is lost.',
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
      fix: 'Percent-encode it: @ is %40, # is %23, / is %2F, ? is %3F, : is %3A, % is %25.',
    },
  ]
}

function modeFindings(target: ConnectionTarget, where: ConnectionOrigin): Finding[] {
  if (where.hyperdriveOrigin) return hyperdriveFindings(target)
  const { provider, mode } = target
  const findings: Finding[] = []
  if (mode === 'session') {
    findings.push({
      level: 'warning',
      code: 'session-port',
      message: 'Port 5432 of the shared pooler is session mode: each client keeps a connection.',
      fix: 'Change the port to 6543.',
    })
  }
  if (provider === 'supabase-direct') findings.push(...directFindings(where))
  if (provider === 'supabase-dedicated') {
    findings.push({
      level: 'info',
      code: 'dedicated-pooler-ipv6',
      message: 'The dedicated pooler has an IPv6 address only, unless the IPv4 add-on is bought.',
      fix: `Where there is no IPv6, buy the add-on or use the shared pooler. ${COPY_POOLER}`,
    })
  }
  if (provider === 'neon-direct') {
    const [label = '', ...rest] = target.host.split('.')
    findings.push({
      level: 'warning',
      code: 'neon-direct',
      message: 'This is the direct host: each client takes a connection of the database.',
      fix: `Change the host to ${label}-pooler.${rest.join('.')}.`,
    })
  }
  return findings
}

function directFindings({ variable }: ConnectionOrigin): Finding[] {
  const findings: Finding[] = [
    {
      level: 'warning',
      code: 'direct-host',
      message: 'This is the direct connection, which no pooler shares.',
      fix: COPY_POOLER,
    },
    {
      level: 'warning',
      code: 'direct-host-ipv6',
      message: 'The direct host has an IPv6 address only, unless the IPv4 add-on is bought.',
      fix: 'Use the shared pooler, which has IPv4 on every plan, or buy the add-on.',
    },
  ]
  if (variable !== 'SUPABASE_DB_URL') return findings
  return [
    {
      level: 'warning',
      code: 'supabase-db-url-is-direct',
      message: 'SUPABASE_DB_URL is the direct connection and cannot be changed.',
      fix: `Set a secret of another name, such as DATABASE_URL. ${COPY_POOLER}`,
    },
    ...findings,
  ]
}

function hyperdriveFindings({ mode, provider }: ConnectionTarget): Finding[] {
  const pooled = mode === 'transaction' || mode === 'session'
  if (!pooled || provider === 'hyperdrive') return []
  return [
    {
      level: 'warning',
      code: 'hyperdrive-to-pooler',
      message: 'Hyperdrive is a pooler itself and should not stand in front of another.',
      fix: 'Give it the direct connection string: db.<ref>.supabase.co:5432, or the host without -pooler on Neon.',
    },
  ]
}

function nameFindings({ provider, user, database, host }: ConnectionTarget): Finding[] {
  const findings: Finding[] = []
  if (provider === 'supabase-shared' && !/.\.[^.]+$/.test(user)) {
    findings.push({
      level: 'error',
      code: 'user-without-reference',
      message: 'The shared pooler cannot tell the project: the user lacks the reference.',
      fix: `Change the user to ${user}.<project ref>; the reference is in the dashboard's address.`,
    })
  }
  if (/^supabase-d/.test(provider) && /^[^.]+\.[a-z0-9]{20}$/.test(user)) {
    findings.push({
      level: 'error',
      code: 'user-with-reference',
      message: 'The reference belongs into the user for the shared pooler only.',
      fix: `Change the user to ${user.split('.')[0]}.`,
    })
  }
  if (provider === 'supabase-shared' && [user, database].some((name) => byteLength(name) > 63)) {
    const message = 'The pooler takes at most 63 bytes for user and database.'
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

function tlsFindings({ sslMode, provider }: ConnectionTarget): Finding[] {
  if (sslMode === 'disable' && provider !== 'loopback' && provider !== 'hyperdrive') {
    return [
      {
        level: 'warning',
        code: 'sslmode-disable',
        message: 'Password and rows travel in clear.',
        fix: 'Remove sslmode=disable, or change it to sslmode=verify-full.',
      },
    ]
  }
  if (sslMode === undefined || sslMode === 'disable' || sslMode === 'verify-full') return []
  return [
    {
      level: 'info',
      code: 'sslmode-not-verified',
      message: `sslmode=${sslMode} does not verify the server elsewhere; here TLS always does.`,
      fix: 'Write sslmode=verify-full, so that other tools do the same.',
    },
  ]
}

function ignoredParameter(name: string): Finding {
  const why = KNOWN_PARAMETERS[name] ?? 'a pooler may refuse the connection for it'
  return {
    level: 'info',
    code: 'ignored-parameter',
    message: `The parameter ${name.slice(0, 63)} is not sent: ${why}.`,
    fix: 'Remove it, or leave it: it changes nothing here.',
  }
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length
}
