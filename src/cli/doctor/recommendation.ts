import { parseConnectionString, toTransactionMode } from '../../connection-string.ts'
import type { ConnectionTarget } from '../../connection-target.ts'
import type { Examination } from './examination.ts'
import type { Recommendation } from './report.ts'

/** What a masked password is written as. */
const MASK = '***'

/**
 * What to set where. Absent where there is no connection string that could be used.
 *
 * @param showSecret - Whether the password stands in it, percent-encoded.
 */
export function recommend(
  examination: Examination,
  showSecret: boolean,
): Recommendation | undefined {
  const { source, target, form, options, session } = examination
  if (!source || !target) return undefined
  const advised = options.stationary
    ? target
    : parseConnectionString(toTransactionMode(source.text))
  const changed = form !== undefined || textOf(advised, true) !== textOf(target, true)
  // One that nobody could log in with is no advice.
  if (session === undefined && textOf(advised, true) === textOf(target, true)) return undefined
  const url = textOf(advised, showSecret)
  return { url, changed, options: databaseOptions(examination), lines: linesOf(url) }
}

/** Every part percent-encoded, and nothing that is not sent. */
function textOf(target: ConnectionTarget, showSecret: boolean): string {
  const { user, database, port, sslMode, sslNegotiation, applicationName } = target
  const host = target.host.includes(':') ? `[${target.host}]` : target.host
  const password = target.revealPassword()
  const secret = password === '' ? '' : `:${showSecret ? encode(password) : MASK}`
  const query = new URLSearchParams()
  if (sslMode !== undefined) query.set('sslmode', sslMode)
  if (sslNegotiation !== undefined) query.set('sslnegotiation', sslNegotiation)
  if (applicationName !== undefined) query.set('application_name', applicationName)
  const parameters = query.size > 0 ? `?${query}` : ''
  return `postgres://${encode(user)}${secret}@${host}:${port}/${encode(database)}${parameters}`
}

/** Also the characters that a shell or another parser of URLs takes for its own. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** What the host does not tell, and the login has. */
function databaseOptions({
  pooler,
  target,
  options,
  session,
}: Examination): Record<string, unknown> {
  const told = target?.provider !== 'other' && target?.provider !== 'loopback'
  const tls = {
    ...(options.ca === undefined ? {} : { ca: '<the root certificate, PEM>' }),
    ...(options.serverName === undefined ? {} : { serverName: options.serverName }),
  }
  // What is begun early is begun with SCRAM.
  const kind =
    told || (session?.method !== 'scram-sha-256' && pooler !== 'supavisor')
      ? undefined
      : poolerOption(pooler)
  return {
    ...(kind === undefined ? {} : { pooler: kind }),
    ...(Object.keys(tls).length > 0 ? { tls } : {}),
  }
}

function poolerOption(pooler: Examination['pooler']): string | undefined {
  if (pooler === 'pgbouncer' || pooler === 'supavisor') return pooler
  return pooler === 'none' ? 'postgres' : undefined
}

/** Commands ask for the secret themselves, so that it stands in no history and no list of processes. */
function linesOf(url: string): { for: string; line: string }[] {
  return [
    { for: '.dev.vars or .env', line: `DATABASE_URL="${url}"` },
    { for: 'Cloudflare Workers', line: 'npx wrangler secret put DATABASE_URL' },
    { for: 'Vercel', line: 'npx vercel env add DATABASE_URL' },
    { for: 'Supabase Edge Functions', line: 'npx supabase secrets set --env-file .env' },
  ]
}
