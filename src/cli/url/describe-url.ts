import type { Finding } from '../../connection-findings.ts'
import type { ConnectionMode, ConnectionProvider } from '../../connection-target.ts'
import { FORM_WORDS } from '../source/pasted-url.ts'
import { type Output, styled } from '../styled.ts'
import type { FormName } from './connection-forms.ts'
import type { UrlAnswer } from './explain-url.ts'

const PROVIDERS: Record<ConnectionProvider, string> = {
  'supabase-shared': 'Supabase, shared pooler',
  'supabase-dedicated': 'Supabase, dedicated pooler',
  'supabase-direct': 'Supabase, direct connection',
  'neon-pooler': 'Neon, pooled',
  'neon-direct': 'Neon, direct connection',
  hyperdrive: 'Cloudflare Hyperdrive',
  loopback: 'this machine',
  other: 'another server',
}

const MODES: Record<ConnectionMode, string> = {
  transaction: 'transaction: a server connection for each transaction; for edge functions',
  session: 'session: a server connection for each client, as long as it stays',
  direct: 'direct: no pooler in between; for servers that stay, and migrations',
  unknown: 'unknown: host and port do not tell',
}

const TITLES: Record<FormName, string> = {
  string: 'Connection string',
  workers: 'Cloudflare Workers, a secret',
  supabase: 'Supabase Edge Functions, a secret',
  vercel: 'Vercel, an environment variable',
  sqlalchemy: 'SQLAlchemy, with NullPool and no statement cache',
  psql: 'psql, which asks for the password',
}

const COLOURS = { error: 'red', warning: 'yellow', info: 'cyan' } as const

/** The answer in words for a terminal, or without colours for anything else. */
export function describeUrl(answer: UrlAnswer, showSecret: boolean): string {
  const { writtenAs, provider, host, port, user, database, projectRef, hasPassword, ignored } =
    answer
  const rows = [
    ...(writtenAs === null ? [] : [['Given as', FORM_WORDS[writtenAs]]]),
    ['Host', `${host} (${PROVIDERS[provider]})`],
    ['Port', `${port}`],
    ['Mode', MODES[answer.mode]],
    ['User', user],
    [
      'Password',
      hasPassword ? (showSecret ? 'as shown below' : 'not shown; --show-secret shows it') : 'none',
    ],
    ['Database', database],
    ...(projectRef === null ? [] : [['Project', projectRef]]),
    ...(ignored.length === 0 ? [] : [['Left out', printable(ignored)]]),
  ]
  const forms = (Object.entries(answer.forms) as [FormName, string][]).flatMap(([name, text]) => [
    '',
    `${styled('bold', titleOf(name, showSecret))} ${styled('dim', `(--print ${name})`)}`,
    text.replace(/^/gm, '  '),
  ])
  return [
    ...rows.map(([name = '', value]) => `${name.padEnd(10)}${value}`),
    ...findingLines(answer.findings),
    ...forms,
  ].join('\n')
}

/** One finding after the other, each with its fix on a line of its own. */
export function findingLines(findings: readonly Finding[], output: Output = 'stdout'): string[] {
  return findings.flatMap(({ level, code, message, fix }) => [
    '',
    `${styled(COLOURS[level], level, output)} ${styled('dim', code, output)}: ${message}`,
    `  ${fix}`,
  ])
}

function titleOf(name: FormName, showSecret: boolean): string {
  return name === 'psql' && showSecret ? 'psql' : TITLES[name]
}

/** Names come from the text as it was pasted. */
function printable(names: readonly string[]): string {
  return names.map((name) => name.replace(/[^\x20-\x7e]/g, '').slice(0, 63)).join(', ')
}
