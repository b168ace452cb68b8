import { type ConnectionParts, partsOf, readKeywords } from './keyword-values.ts'

/** The options of psql that say where to connect. */
const OPTIONS: ReadonlyMap<string, string> = new Map([
  ['-h', 'host'],
  ['--host', 'host'],
  ['-p', 'port'],
  ['--port', 'port'],
  ['-U', 'user'],
  ['--username', 'user'],
  ['-d', 'dbname'],
  ['--dbname', 'dbname'],
])

/** Options with a value that is none of ours. */
const OTHERS =
  /^(?:-[cfvoFLPRT]|--(?:command|file|set|variable|output|field-separator|log-file|pset|record-separator|table-attr))$/

/** What a command of psql connects to: a URL that it names, or parts. */
export interface PsqlTarget {
  url?: string
  parts?: ConnectionParts
}

/**
 * What a command of psql connects to. `undefined` for a text that is no such command.
 *
 * @see https://www.postgresql.org/docs/current/app-psql.html
 */
export function readPsqlCommand(text: string): PsqlTarget | undefined {
  const match = /^((?:PG[A-Z]+=(?:'[^']*'|"[^"]*"|\S*)\s+)*)psql\s+(?=\S)/.exec(text)
  if (match === null) return undefined
  const pairs = environmentOf(match[1] ?? '')
  const words = shellWords(text.slice(match[0].length))
  const positional = takeOptions(words, pairs)
  const database = positional[0] ?? pairs.findLast(([name]) => name === 'dbname')?.[1]
  if (database?.includes('://')) return { url: withMissing(database, pairs) }
  // What a string says goes before the options.
  if (database?.includes('=')) return { parts: partsOf([...pairs, ...readKeywords(database)]) }
  const [, user] = positional
  if (database !== undefined) pairs.push(['dbname', database])
  if (user !== undefined) pairs.push(['user', user])
  return { parts: partsOf(pairs) }
}

/** Puts what options say to the pairs; gives the words that belong to none. */
function takeOptions(words: string[], pairs: [string, string][]): string[] {
  const positional: string[] = []
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const [, long, value] = /^(--[a-z-]+)=(.*)$/s.exec(word) ?? []
    const [, short, attached] = /^(-[hpUd])(.+)$/s.exec(word) ?? []
    const name = OPTIONS.get(long ?? short ?? word)
    if (name !== undefined) pairs.push([name, value ?? attached ?? words.shift() ?? ''])
    else if (OTHERS.test(word)) words.shift()
    else if (!word.startsWith('-')) positional.push(word)
  }
  return positional
}

/** A URL with what only the environment says. */
function withMissing(url: string, pairs: readonly [string, string][]): string {
  const lastOf = (wanted: string): string | undefined =>
    pairs.findLast(([name]) => name === wanted)?.[1]
  const [password, mode] = [lastOf('password'), lastOf('sslmode')]
  const withPassword = password
    ? url.replace(
        /^([a-z+]+:\/\/[^:/?#@]+)@/i,
        (_, user) => `${user}:${encodeURIComponent(password)}@`,
      )
    : url
  if (mode === undefined || /[?&]sslmode=/.test(url)) return withPassword
  return `${withPassword}${url.includes('?') ? '&' : '?'}sslmode=${encodeURIComponent(mode)}`
}

const VARIABLES: ReadonlyMap<string, string> = new Map([
  ['PGHOST', 'host'],
  ['PGPORT', 'port'],
  ['PGUSER', 'user'],
  ['PGPASSWORD', 'password'],
  ['PGDATABASE', 'dbname'],
  ['PGSSLMODE', 'sslmode'],
])

function environmentOf(text: string): [string, string][] {
  return shellWords(text).flatMap((word): [string, string][] => {
    const [, variable = '', value = ''] = /^(\w+)=(.*)$/s.exec(word) ?? []
    const name = VARIABLES.get(variable)
    return name === undefined ? [] : [[name, value]]
  })
}

/** Words as a shell sees them, without what it would expand, up to the end of the command. */
function shellWords(text: string): string[] {
  const joined = text.replaceAll(/\\\r?\n/g, ' ')
  const pieces = joined.match(/(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s'"\\|&;<>])+|[|&;<>]/gs) ?? []
  const end = pieces.findIndex((piece) => /^[|&;<>]$/.test(piece))
  const words = end < 0 ? pieces : pieces.slice(0, end)
  return words.map((word) =>
    word.replace(
      /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/gs,
      (_, single, double, escaped) =>
        single ?? escaped ?? double?.replace(/\\(["\\$`])/g, '$1') ?? '',
    ),
  )
}
