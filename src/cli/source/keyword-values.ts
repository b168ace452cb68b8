import { invalid, isKnownParameter } from '../../connection-text.ts'

/** What a text in another form than a URL names; nothing is encoded. */
export interface ConnectionParts {
  host?: string | undefined
  port?: string | undefined
  user?: string | undefined
  password?: string | undefined
  database?: string | undefined
  /** Everything else, by the names of libpq, each once. */
  parameters: [name: string, value: string][]
}

type PartName = Exclude<keyof ConnectionParts, 'parameters'>

/** The names of libpq, of Npgsql and of pgjdbc, in small letters and without spaces. */
const PARTS: ReadonlyMap<string, PartName> = new Map([
  ['host', 'host'],
  ['hostaddr', 'host'],
  ['server', 'host'],
  ['port', 'port'],
  ['user', 'user'],
  ['username', 'user'],
  ['userid', 'user'],
  ['uid', 'user'],
  ['password', 'password'],
  ['pwd', 'password'],
  ['dbname', 'database'],
  ['database', 'database'],
  ['db', 'database'],
])

const PARAMETERS: ReadonlyMap<string, string> = new Map([
  ['applicationname', 'application_name'],
  ['sslnegotiation', 'sslnegotiation'],
])

/** Names of pgjdbc and of Npgsql that are often seen, written in the same way; they mean nothing here. */
const OF_OTHERS: ReadonlySet<string> = new Set(
  `preparethreshold currentschema rewritebatchedinserts logintimeout sockettimeout tcpkeepalive sslfactory
  binarytransfer stringtype preferquerymode targetservertype connecttimeout loglevel autosave pooling
  minimumpoolsize maximumpoolsize minpoolsize maxpoolsize timeout commandtimeout trustservercertificate
  includeerrordetail keepalive noresetonclose searchpath multiplexing maxautoprepare enlist
  connectionlifetime connectionidlelifetime passfile gssencmode krbsrvname keepalives keepalivesidle
  keepalivesinterval keepalivescount service requireauth loadbalancehosts`.split(/\s+/),
)

/** Whether a name begins a text of keywords, and is not that of a variable. */
export function isKeyword(name: string): boolean {
  const plain = plainName(name)
  return PARTS.has(plain) || /^(?:ssl|application|target|connect)/.test(plain)
}

/**
 * Sorts names with their values into parts. Of `host` and `hostaddr` the name is the host; of a name that is there
 * twice the last value counts, as in libpq and .NET.
 */
export function partsOf(pairs: Iterable<readonly [string, string]>): ConnectionParts {
  const parts: ConnectionParts = { parameters: [] }
  const parameters = new Map<string, string>()
  for (const [name, value] of pairs) {
    const plain = plainName(name)
    const part = PARTS.get(plain)
    if (part === undefined) {
      const [known, its] = parameterOf(name, plain, value)
      if (parts.password !== undefined) refusePieceOfPassword(known, plain)
      parameters.set(known, its)
    } else if (plain !== 'hostaddr' || parts.host === undefined) parts[part] = value
  }
  return { ...parts, parameters: [...parameters] }
}

/** What looks like a name behind a password may be a part of it, which nobody is to see. */
function refusePieceOfPassword(name: string, plain: string): void {
  if (isKnownParameter(name) || OF_OTHERS.has(plain)) return
  throw invalid(
    'Behind the password stands a name that is not known here, and may be a part of the password.',
    'If it is one, write & as %26 (JDBC), or the password in quotes: \'two words\' (keywords), "a;b" (.NET). If it is none, put the password at the end.',
  )
}

/** Others call the modes of TLS as libpq does, in another spelling. */
function parameterOf(name: string, plain: string, value: string): [string, string] {
  if (plain === 'sslmode') {
    return ['sslmode', value.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase()]
  }
  return [PARAMETERS.get(plain) ?? name, value]
}

function plainName(name: string): string {
  return name.toLowerCase().replace(/[\s_]/g, '')
}

const PAIR =
  /\s*([a-z_]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)(?:[^\s\\]|\\.)*)|(?=\s|$))/isy

/**
 * Reads `host=… user=…` as libpq does.
 *
 * @see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE
 */
export function readKeywords(text: string): [name: string, value: string][] {
  const pairs: [string, string][] = []
  for (let at = 0; at < text.trimEnd().length; at = PAIR.lastIndex) {
    PAIR.lastIndex = at
    const match = PAIR.exec(text)
    if (match === null) {
      throw invalid(
        `The keyword form cannot be read behind ${counted(pairs.length)}.`,
        "Each is name=value; a value with a space in it stands in single quotes, with a \\ in front of ' and \\: password='two words'.",
      )
    }
    const [, name = '', quoted, plain = ''] = match
    pairs.push([name, (quoted ?? plain).replace(/\\(.)/gs, '$1')])
  }
  return pairs
}

function counted(pairs: number): string {
  return pairs === 1 ? 'its first pair' : `${pairs} pairs`
}

const FIELD =
  /\s*([a-z][a-z_ ]*?)\s*=\s*(?:"((?:[^"]|"")*)"|'((?:[^']|'')*)'|((?:[^;"'\s][^;]*)?))\s*(?:;|$)/isy

/** Reads `Host=…;Username=…` as .NET writes it. */
export function readFields(text: string): ConnectionParts {
  const pairs: [string, string][] = []
  for (let at = 0; at < text.trimEnd().length; at = FIELD.lastIndex) {
    FIELD.lastIndex = at
    const match = FIELD.exec(text)
    if (match === null) {
      throw invalid(
        `The .NET connection string cannot be read behind ${counted(pairs.length)}.`,
        'Each is Name=value and ends with a semicolon; a value with a semicolon in it stands in double quotes.',
      )
    }
    const [, name = '', double, single, plain = ''] = match
    const value = double?.replaceAll('""', '"') ?? single?.replaceAll("''", "'") ?? plain.trim()
    pairs.push([name, value])
  }
  return partsOf(pairs)
}
