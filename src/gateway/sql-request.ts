import type { Context } from 'hono'
import type { TransactionOptions } from '../transaction-options.ts'
import { isExactNumber, parseExactly } from './exact-json.ts'
import { badRequest } from './failures.ts'
import { type BodyLimits, readBody } from './read-body.ts'

/** One statement, its values as text. */
export interface SqlStatement {
  text: string
  values: (string | null)[]
  /** Whether rows are lists and not objects. */
  arrayMode: boolean
}

/** What a request to `/sql` asks for. */
export interface SqlRequest {
  connectionString: string
  statements: SqlStatement[]
  /** Whether values stay text, and are not read as JSON's. */
  rawText: boolean
  /** How the transaction of several statements begins; nothing for a single one. */
  transaction: TransactionOptions | undefined
}

/** A message of the protocol counts them with 16 bits. */
const MAX_VALUES = 65_535
/** A batch is bounded by its bytes too; each statement costs more than these. */
const MAX_STATEMENTS = 10_000

const ISOLATIONS = new Map<string, NonNullable<TransactionOptions['isolation']>>([
  ['ReadUncommitted', 'read uncommitted'],
  ['ReadCommitted', 'read committed'],
  ['RepeatableRead', 'repeatable read'],
  ['Serializable', 'serializable'],
])

/**
 * Reads a request of Neon's HTTP query protocol.
 *
 * @throws {NullpoolError} `ERR_GATEWAY_REQUEST`, which never quotes what was sent, and what {@link readBody}
 *   throws.
 *
 * @see https://github.com/neondatabase/serverless
 */
export async function readSqlRequest(c: Context, limits: BodyLimits): Promise<SqlRequest> {
  const connectionString = c.req.header('neon-connection-string')
  if (!connectionString) throw badRequest('The header Neon-Connection-String is missing.')
  const body = parseBody(await readBody(c.req.raw, limits))
  const arrayMode = isTrue(c, 'neon-array-mode')
  const batch = body.queries
  const rawText = isTrue(c, 'neon-raw-text-output')
  if (batch === undefined) {
    const statements = [readStatement(body, arrayMode)]
    return { connectionString, statements, rawText, transaction: undefined }
  }
  if (!Array.isArray(batch) || batch.length > MAX_STATEMENTS) {
    throw badRequest(`queries takes a list of up to ${MAX_STATEMENTS} statements.`)
  }
  const statements = batch.map((each: unknown) => readStatement(each, arrayMode))
  return { connectionString, statements, rawText, transaction: readTransaction(c) }
}

function readTransaction(c: Context): TransactionOptions {
  const name = c.req.header('neon-batch-isolation-level')
  const isolation = name === undefined ? undefined : ISOLATIONS.get(name)
  if (name !== undefined && !isolation) {
    const known = [...ISOLATIONS.keys()].join(', ')
    throw badRequest(`The header Neon-Batch-Isolation-Level takes ${known}.`)
  }
  const readOnly = isTrue(c, 'neon-batch-read-only')
  // Of any other transaction it means nothing to the server (PostgreSQL, SET TRANSACTION).
  const deferrable = isTrue(c, 'neon-batch-deferrable') && readOnly && isolation === 'serializable'
  return { ...(isolation ? { isolation } : {}), readOnly, deferrable }
}

function isTrue(c: Context, header: string): boolean {
  return c.req.header(header) === 'true'
}

function parseBody(text: string): Record<string, unknown> {
  const body = parsedOrNothing(text)
  if (isRecord(body)) return body
  throw badRequest('The body takes JSON: { query, params } or { queries }.')
}

/** What a runtime says of a text that is no JSON quotes it. */
function parsedOrNothing(text: string): unknown {
  try {
    return parseExactly(text)
  } catch {
    return undefined
  }
}

function readStatement(statement: unknown, arrayMode: boolean): SqlStatement {
  if (!isRecord(statement)) throw badRequest('A statement takes { query, params }.')
  const { query, params = [], arrayMode: own = arrayMode } = statement
  if (typeof query !== 'string') throw badRequest('query takes a text.')
  if (!Array.isArray(params) || params.length > MAX_VALUES) {
    throw badRequest(`params takes a list of up to ${MAX_VALUES} values.`)
  }
  if (own !== null && typeof own !== 'boolean') throw badRequest('arrayMode takes true or false.')
  const values = params.map(toText)
  if (query.includes('\0')) throw badRequest('query holds a NUL.')
  for (const text of [query, ...values]) {
    if (text !== null && /\p{Surrogate}/u.test(text)) throw badRequest('Half a character was sent.')
  }
  return { text: query, values, arrayMode: own ?? arrayMode }
}

/** A value as text for the server: objects as JSON, lists as arrays of Postgres. */
function toText(value: unknown): string | null {
  if (value === null || typeof value === 'string') return value
  return Array.isArray(value) ? toArrayText(value) : JSON.stringify(value)
}

function toArrayText(list: readonly unknown[]): string {
  const elements = list.map((element) => {
    if (element === null) return 'NULL'
    if (Array.isArray(element)) return toArrayText(element)
    const text = typeof element === 'string' ? element : JSON.stringify(element)
    const isPlain = typeof element === 'boolean' || isExactNumber(element)
    return isPlain ? text : `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
  })
  return `{${elements.join(',')}}`
}

function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  return !Array.isArray(value) && !isExactNumber(value)
}
