import { NullpoolError } from '../errors.ts'
import type { Sql } from './driver.ts'

/** What of postgres.js's `Query` is used here; its types do not show it. */
interface Query extends PromiseLike<unknown> {
  strings: readonly string[]
  /** Whether somebody has awaited it. */
  executed: boolean
  /** What makes more of it than rows that come at once. */
  cursorFn?: unknown
  forEachFn?: unknown
  onlyDescribe?: boolean
  streaming?: boolean
  handler: unknown
  canceller: unknown
}

/**
 * Has statements run on another client than the one that built them.
 *
 * @throws {NullpoolError} `ERR_OPTIONS` for what is not a statement, or runs already.
 */
export function handOver(statements: readonly unknown[], client: Sql): void {
  const { handler, canceller } = client.unsafe('') as unknown as Query
  for (const statement of statements) Object.assign(statement as Query, { handler, canceller })
}

/** Whether it is a statement that nobody has awaited. */
export function isUnbegun(statement: unknown): boolean {
  return isStatement(statement) && !statement.executed
}

/** @throws {NullpoolError} `ERR_OPTIONS` for what is not a list of statements that nobody has awaited. */
export function checkStatements(statements: unknown): asserts statements is readonly unknown[] {
  const isList = Array.isArray(statements) && statements.every(isStatement)
  if (!isList) throw refused('takes a function that returns a list of statements: sql`…`')
  const all: readonly Query[] = statements
  if (new Set(all).size < all.length || all.some(({ executed }) => executed)) {
    throw refused('takes statements that nobody awaits, each of them once')
  }
  if (all.some(isMore)) throw refused('takes no cursors, streams, forEach() and describe()')
}

function isStatement(value: unknown): value is Query {
  if (!(value instanceof Promise && 'handler' in value && 'strings' in value)) return false
  // The text of a file is read later.
  return Array.isArray(value.strings) && value.strings.length > 0
}

function isMore({ cursorFn, forEachFn, onlyDescribe, streaming }: Query): boolean {
  return Boolean(cursorFn ?? forEachFn ?? (onlyDescribe || streaming))
}

function refused(words: string): NullpoolError {
  return new NullpoolError('ERR_OPTIONS', `batch() ${words}.`)
}
