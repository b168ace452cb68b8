import { invalid } from '../../connection-text.ts'
import {
  type ConnectionParts,
  isKeyword,
  partsOf,
  readFields,
  readKeywords,
} from './keyword-values.ts'
import { readPsqlCommand } from './psql-command.ts'

/** How a text is written that is no URL of Postgres. */
export type PastedForm = 'dialect' | 'jdbc' | 'keywords' | 'dotnet' | 'psql' | 'bare'

/** A text as it was pasted, read. */
export interface PastedUrl {
  /** What the library's own reader takes; as it was given where that is so already. */
  text: string
  form: PastedForm | undefined
}

/** Each form in words. */
export const FORM_WORDS: Readonly<Record<PastedForm, string>> = {
  dialect: 'a URL of a tool, with its driver in the scheme',
  jdbc: 'a JDBC URL',
  keywords: 'keywords of libpq',
  dotnet: 'a .NET connection string',
  psql: 'a command of psql',
  bare: 'a URL without its postgres://',
}

const MAX_LENGTH = 8_192
const QUOTES = '["\'`“‘]?'
/** What a file, a shell, JSON or YAML has in front of a value. Behind a colon a password may stand too. */
const ASSIGNMENT =
  /^(?:(?:export|set)\s+|\$env:)?["'`]?([a-z_]\w*)["'`]?\s*(?:=|:(?=[\s"'`“‘]+(?:jdbc:|[a-z+]+:\/\/|psql\s|(?:host|user|server)[a-z ]*=)))\s*/i
/** As shells, files and Windows refer to one. */
const VARIABLE = /^(?:\$env:\w+|\$?\{?[A-Z][A-Z0-9]*_[A-Z0-9_]+\}?|%\w+%|\$\{?\w+\}?)$/
const DIALECT = /^(?:postgres(?:ql)?\+\w+|postgis|pgsql):\/\//i

/**
 * Reads what other tools call a connection string, where its meaning is certain: URLs of SQLAlchemy and JDBC,
 * keywords of libpq and of .NET, a command of psql, a URL that lacks its scheme.
 *
 * Everything else stays as it is, for the library's own reader to take or to refuse.
 *
 * @throws {NullpoolError} `ERR_URL_INVALID`, which says what is wrong and never quotes the text.
 */
export function readPastedUrl(text: string): PastedUrl {
  if (text.trim() === '') {
    throw invalid('The connection string is empty.', 'Is the variable set in this shell?')
  }
  if (text.length > MAX_LENGTH || text.includes('\0')) return { text, form: undefined }
  const bare = unwrapped(text)
  if (/^jdbc:/i.test(bare)) return { text: fromJdbc(bare), form: 'jdbc' }
  if (DIALECT.test(bare)) return { text: fromDialect(bare), form: 'dialect' }
  if (/^(?:psql\s+)?postgres(?:ql)?:\/\/|^psql\s+["'`“‘]postgres(?:ql)?:\/\/[^\s]*$/i.test(bare)) {
    return { text, form: undefined }
  }
  const command = readPsqlCommand(bare)
  if (command?.url !== undefined) return { ...readPastedUrl(command.url), form: 'psql' }
  if (command?.parts) return { text: urlOf(command.parts, 'psql'), form: 'psql' }
  const [, name] = /^([a-z][a-z_ ]*?)\s*=/i.exec(bare) ?? []
  if (name !== undefined && isKeyword(name)) return fromKeywords(bare)
  refuseForeign(bare)
  return isBare(bare)
    ? { text: `postgres://${bare.replace(/^\/\//, '')}`, form: 'bare' }
    : { text, form: undefined }
}

/** Without what stands around a value: a variable's name, quotes, spaces. */
function unwrapped(text: string): string {
  const start = text.replace(/^[\s\u200b\ufeff]+/, '')
  const assignment = ASSIGNMENT.exec(start)
  // The first keyword of a text looks like a variable, and so does a password in front of psql.
  const isVariable =
    assignment && !isKeyword(assignment[1] ?? '') && !/^PG/.test(assignment[1] ?? '')
  const value = isVariable ? start.slice(assignment[0].length) : start
  const inner = value.trimEnd().replace(/[;,]+$/, '')
  const [, quoted] = /^["'`“‘]([\s\S]*)["'`”’]$/.exec(inner) ?? []
  return (quoted ?? value.replace(new RegExp(`^${QUOTES}`), '')).trim()
}

function fromDialect(bare: string): string {
  const isAsyncpg = /^[^:]*\+asyncpg:/i.test(bare)
  const url = bare.replace(DIALECT, 'postgresql://')
  // asyncpg calls sslmode ssl, and takes the same words.
  return isAsyncpg ? url.replace(/([?&])ssl=(?=[a-z-]+(?:&|$))/, '$1sslmode=') : url
}

const JDBC = /^jdbc:postgresql:(?:\/\/([^/?]*)\/?)?([^?]*)(?:\?(.*))?$/is

/** @see https://jdbc.postgresql.org/documentation/use/ */
function fromJdbc(bare: string): string {
  const match = JDBC.exec(bare)
  if (match === null) {
    throw invalid('This is a JDBC URL of another database.', 'It takes jdbc:postgresql://.')
  }
  const [, authority = 'localhost', database = '', query = ''] = match
  // The driver itself takes no user there, and whoever writes one means it.
  if (authority.includes('@')) return bare.slice('jdbc:'.length)
  const given = [...new URLSearchParams(query)]
  const hasMode = given.some(([name]) => name === 'sslmode')
  const pairs = given.flatMap(([name, value]): [string, string][] => {
    if (name !== 'ssl') return [[name, value]]
    return hasMode ? [] : [['sslmode', value === 'false' ? 'disable' : 'verify-full']]
  })
  const [, host = authority, port] = /^(\[.*\]|[^:]*):(\d*)$/.exec(authority) ?? []
  const parts = { ...partsOf(pairs), host, port }
  return urlOf({ ...parts, database: decoded(database) }, 'jdbc')
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function fromKeywords(bare: string): PastedUrl {
  // In libpq a semicolon is a part of a value; no name of .NET's stands behind one there.
  const form = /;\s*[a-z][a-z_ ]*=|;\s*$/i.test(bare) ? 'dotnet' : 'keywords'
  const parts = form === 'dotnet' ? readFields(bare) : partsOf(readKeywords(bare))
  return { text: urlOf(parts, form), form }
}

/** Where nothing stands for a user or a host, tools take what is known on their own machine alone. */
function urlOf(parts: ConnectionParts, form: PastedForm): string {
  const { host, port, user, password, database, parameters } = parts
  if (!host) throw invalid(`The text is ${FORM_WORDS[form]}, and names no host.`, LACKS[form])
  if (!user) throw invalid(`The text is ${FORM_WORDS[form]}, and names no user.`, LACKS[form])
  const at = host.startsWith('/')
    ? encodeURIComponent(host)
    : /^[^[,]*:.*:/.test(host)
      ? `[${host}]`
      : host
  const query = new URLSearchParams(parameters).toString().replaceAll('+', '%20')
  const secret = password ? `:${encodeURIComponent(password)}` : ''
  return [
    `postgresql://${encodeURIComponent(user)}${secret}`,
    `@${at}${port ? `:${port}` : ''}/${encodeURIComponent(database ?? '')}`,
    query === '' ? '' : `?${query}`,
  ].join('')
}

const LACKS: Readonly<Record<PastedForm, string>> = {
  dialect: 'Write it: postgres://user:password@host:6543/database.',
  jdbc: 'Write it: jdbc:postgresql://host:6543/database?user=…&password=….',
  keywords: 'Write it: host=… port=6543 user=… password=… dbname=….',
  dotnet: 'Write it: Host=…;Port=6543;Username=…;Password=…;Database=….',
  psql: 'Write it: psql -h host -p 6543 -U user -d database.',
  bare: 'Write it: postgres://user:password@host:6543/database.',
}

function refuseForeign(bare: string): void {
  if (VARIABLE.test(bare)) {
    throw invalid(
      'This is the name of a variable, and not what it holds.',
      'In a shell write "$DATABASE_URL" in double quotes, or leave the argument out: it is looked for anyway. In a file write the connection string itself.',
    )
  }
  const [, scheme = ''] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(bare) ?? []
  if (/^prisma(?:\+postgres)?$/i.test(scheme)) {
    throw invalid(
      'This is the address of Prisma’s proxy, which speaks HTTP, and not of a database.',
      'Take the direct connection string, which begins with postgres://; in Prisma’s schema it is directUrl.',
    )
  }
  if (
    /^(?:mysql|mariadb|mongodb|rediss?|mssql|sqlserver|sqlite|libsql|oracle)(?:\+\w+)?$/i.test(
      scheme,
    )
  ) {
    throw invalid('This is the address of another kind of database than Postgres.')
  }
  if (/^postgres(?:ql)?(?::\/(?!\/)|\/\/)/i.test(bare)) {
    throw invalid('The scheme lacks a colon or a slash.', 'Let it begin with postgres://.')
  }
}

/** `user:password@host`, or a user and a host with a port or a path: without one it is an address of mail. */
function isBare(bare: string): boolean {
  if (/^[a-z][a-z0-9+.-]*:\/\/|[\r\n]|^[^:]*:\s/i.test(bare)) return false
  return /^(?:\/\/)?[^\s:/?#@("'`]+(?::.*@[^@]+|@[^\s@]+[:/]\S*)$/.test(bare)
}
