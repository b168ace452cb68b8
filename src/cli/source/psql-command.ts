import { type ConnectionParts, partsOf } from './keyword-values.ts'

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

/**
 * What a command of psql connects to: its parts, or the connection string that it names. `undefined` for a text
 * that is no such command.
 *
 * @see https://www.postgresql.org/docs/current/app-psql.html
 */
export function readPsqlCommand(text: string): ConnectionParts | string | undefined {
  const match = /^((?:PG[A-Z]+=(?:'[^']*'|"[^"]*"|\S*)\s+)*)psql\s+(?=\S)/.exec(text)
  if (match === null) return undefined
  const pairs = environmentOf(match[1] ?? '')
  const words = shellWords(text.slice(match[0].length))
  const positional: string[] = []
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const [, long, value] = /^(--[a-z-]+)=(.*)$/s.exec(word) ?? []
    const [, short, attached] = /^(-[hpUd])(.+)$/s.exec(word) ?? []
    const name = OPTIONS.get(long ?? short ?? word)
    if (name !== undefined) pairs.push([name, value ?? attached ?? words.shift() ?? ''])
    else if (OTHERS.test(word)) words.shift()
    else if (!word.startsWith('-')) positional.push(word)
  }
  const database = positional[0] ?? pairs.findLast(([name]) => name === 'dbname')?.[1]
  if (database !== undefined && /:\/\/|=/.test(database)) return database
  const [, user] = positional
  return partsOf([
    ...pairs,
    ...(database === undefined ? [] : [['dbname', database] as const]),
    ...(user === undefined ? [] : [['user', user] as const]),
  ])
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

/** Words as a shell sees them, without what it would expand. */
function shellWords(text: string): string[] {
  const words = text.match(/(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s'"\\])+/gs) ?? []
  return words.map((word) =>
    word.replace(
      /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/gs,
      (_, single, double, escaped) =>
        single ?? escaped ?? double?.replace(/\\(["\\$`])/g, '$1') ?? '',
    ),
  )
}
