import type { ConnectionTarget } from '../../connection-target.ts'
import { MASK, percentEncode, writeConnectionString } from './connection-text.ts'

/** Where a connection string is to go, and how it is written there. */
export const FORMS = ['string', 'workers', 'supabase', 'vercel', 'sqlalchemy', 'psql'] as const
export type FormName = (typeof FORMS)[number]

/**
 * The lines for each place that a connection string goes to.
 *
 * The commands of Cloudflare and Vercel ask for the value, so that it gets into no history of a shell.
 */
export function connectionForms(
  target: ConnectionTarget,
  showSecret: boolean,
): Record<FormName, string> {
  const password = target.revealPassword()
  const secret = password === '' ? '' : showSecret ? percentEncode(password) : MASK
  const string = writeConnectionString(target, { secret })
  return {
    string,
    workers: `npx wrangler secret put DATABASE_URL\n# the value: ${string}`,
    supabase: `supabase secrets set 'DATABASE_URL=${string}'`,
    vercel: `vercel env add DATABASE_URL production\n# the value: ${string}`,
    sqlalchemy: sqlAlchemy(target, secret),
    psql: psql(target, showSecret ? secret : ''),
  }
}

/**
 * Psycopg for threads and asyncpg for tasks, both without prepared statements that outlive a transaction.
 *
 * @see https://docs.sqlalchemy.org/en/20/dialects/postgresql.html#prepared-statement-name-with-pgbouncer
 */
function sqlAlchemy(target: ConnectionTarget, secret: string): string {
  const write = (scheme: string, parameters: Record<string, string>) =>
    JSON.stringify(writeConnectionString(target, { secret, scheme, parameters }))
  const { sslMode = target.provider === 'loopback' ? undefined : 'require' } = target
  return [
    'from uuid import uuid4',
    'from sqlalchemy import NullPool, create_engine',
    'from sqlalchemy.ext.asyncio import create_async_engine',
    '',
    'engine = create_engine(',
    `    ${write('postgresql+psycopg', sslMode === undefined ? {} : { sslmode: sslMode })},`,
    '    poolclass=NullPool,',
    '    connect_args={"prepare_threshold": None},',
    ')',
    'async_engine = create_async_engine(',
    // asyncpg calls sslmode ssl, and takes the same words.
    `    ${write('postgresql+asyncpg', sslMode === undefined ? {} : { ssl: sslMode })},`,
    '    poolclass=NullPool,',
    '    connect_args={',
    '        "statement_cache_size": 0,',
    '        "prepared_statement_cache_size": 0,',
    '        "prepared_statement_name_func": lambda: f"__asyncpg_{uuid4()}__",',
    '    },',
    ')',
  ].join('\n')
}

/** Without a password psql asks for it, which is better than a command with one. */
function psql(target: ConnectionTarget, secret: string): string {
  const { provider, sslMode } = target
  const parameters: Record<string, string> = provider.startsWith('supabase')
    ? // From the dashboard: Database settings, SSL configuration.
      { sslmode: 'verify-full', sslrootcert: 'prod-ca-2021.crt' }
    : provider === 'loopback' || sslMode !== undefined
      ? { ...(sslMode !== undefined && { sslmode: sslMode }) }
      : // From libpq 16 on; before, "system" is the name of a file.
        { sslmode: 'verify-full', sslrootcert: 'system' }
  return `psql '${writeConnectionString(target, { secret, parameters })}'`
}
