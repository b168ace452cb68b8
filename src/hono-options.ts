import type { Context } from 'hono'
import { type Claims, refuseIdentity } from './claims.ts'
import { NullpoolError } from './errors.ts'
import { type DatabaseOptions, resolveOptions, type Settings } from './options.ts'
import {
  type Beginning,
  readTransactionOptions,
  type TransactionOptions,
} from './transaction-options.ts'

/** A request that is a transaction. */
export interface RequestTransactionOptions extends Omit<TransactionOptions, 'retries'> {
  /**
   * Whether to roll back although nothing was thrown, told by the response, at once or as a promise. Without a
   * response, or with `Response.error()`, it is not asked: everything is rolled back.
   * @default (c) => c.res.status >= 500
   */
  rollbackWhen?: (c: Context) => boolean | Promise<boolean>
}

/** What `nullpool` takes: the options of `createDatabase`, and its own. */
export interface NullpoolOptions extends DatabaseOptions {
  /**
   * Adds a `Server-Timing` header to responses of routes that queried: `db` and `connect` in milliseconds,
   * `trips` as a description. Of a stream, it says what was known when the stream began. Browsers show it
   * to whoever may read the response. @default false
   *
   * @see https://www.w3.org/TR/server-timing/
   */
  serverTiming?: boolean
  /**
   * For whom a request is: the payload of a token **that a middleware before this one has verified**, such
   * as `(c) => c.get('jwtPayload')` behind `hono/jwt`. Every statement of `c.var.sql` and `c.var.db` runs
   * under these claims, as `Scope.as` says; where it gives nothing, as `anonymousRole`. Signatures are not looked at.
   *
   * @see {@link Claims} for what it gives, at once or as a promise.
   */
  claims?: (c: Context) => unknown
  /**
   * Makes a request one transaction: committed before the response leaves, rolled back when the handler
   * throws or the response's status is 500 or more. A route that does not query begins none.
   *
   * Where a statement has run, the body is part of it: a `Response` of the handler's own making is read to its
   * end first, up to 32 MiB and `queryTimeoutMs`. What is made to be streamed (`c.body(stream)`, Hono's
   * helpers, server-sent events), and what fails or does not end, becomes `ERR_TRANSACTION_STREAM`, and
   * everything is rolled back. @default false
   */
  transaction?: boolean | RequestTransactionOptions
}

/** How a request that is a transaction begins and ends. */
interface RequestTransaction {
  beginning: Beginning
  rollbackWhen: NonNullable<RequestTransactionOptions['rollbackWhen']>
}

/** The options of the middleware with their defaults. */
export interface MiddlewareSettings {
  database: Settings
  serverTiming: boolean
  claims: NullpoolOptions['claims']
  transaction: RequestTransaction | undefined
}

/** @throws {NullpoolError} `ERR_OPTIONS`. */
export function readMiddlewareOptions(options: NullpoolOptions): MiddlewareSettings {
  const { serverTiming = false, claims, transaction = false, ...databaseOptions } = options
  if (typeof serverTiming !== 'boolean') throw refused('serverTiming', 'true or false')
  if (claims !== undefined && typeof claims !== 'function') throw refused('claims', 'a function')
  return {
    database: resolveOptions(databaseOptions),
    serverTiming,
    claims,
    transaction: readTransaction(transaction, claims !== undefined),
  }
}

function readTransaction(
  transaction: boolean | RequestTransactionOptions,
  hasClaims: boolean,
): RequestTransaction | undefined {
  if (transaction === false) return undefined
  const given = transaction === true ? {} : transaction
  if (typeof given !== 'object' || given === null || 'retries' in given) {
    throw refused('transaction', 'true, false or the options of a transaction but retries')
  }
  const { rollbackWhen = (c: Context) => c.res.status >= 500, ...options } = given
  if (typeof rollbackWhen !== 'function') throw refused('transaction.rollbackWhen', 'a function')
  const beginning = readTransactionOptions(options)
  if (hasClaims) refuseIdentity(beginning.settings)
  return { beginning, rollbackWhen }
}

function refused(option: string, takes: string): NullpoolError {
  return new NullpoolError('ERR_OPTIONS', `The option ${option} takes ${takes}.`)
}
