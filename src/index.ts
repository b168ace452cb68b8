/**
 * One Postgres connection per request, through the transaction-mode pooler, for edge functions.
 *
 * @module
 *
 * @example
 * ```ts
 * import { createDatabase } from 'nullpool'
 *
 * const database = createDatabase({ url: 'postgres://library:secret@localhost:6543/library' })
 * const titles = await database.run({}, async ({ sql }) => sql`select title from books`)
 * ```
 */
export { postgresDriver } from '#driver'
export type { Cancellable } from './abortable.ts'
export type { BatchResults } from './batch.ts'
export type { Claims } from './claims.ts'
export type { ConnectionOrigin, Finding, FindingCode } from './connection-findings.ts'
export { diagnoseConnectionString } from './connection-findings.ts'
export { parseConnectionString, toTransactionMode } from './connection-string.ts'
export type { ConnectionMode, ConnectionParts, ConnectionProvider } from './connection-target.ts'
export { ConnectionTarget } from './connection-target.ts'
export type { Database } from './database.ts'
export { createDatabase } from './database.ts'
export type { Driver, DriverConnection, DriverHost, Sql, TransactionSql } from './drivers/driver.ts'
export type { PostgresDriverOptions } from './drivers/postgres.ts'
export type {
  NullpoolErrorCode,
  NullpoolErrorOptions,
  TransactionOutcome,
} from './errors.ts'
export { NullpoolError, ServerError } from './errors.ts'
export type { GuardMode } from './guard/guard.ts'
export type { DatabaseOptions, NullpoolEvent, Pooler, Tls } from './options.ts'
export type { PoolSizeAdvice, PoolSizeOptions } from './pool-size.ts'
export { recommendPoolSize } from './pool-size.ts'
export type { Scope, ScopeContext, ScopeMetrics } from './scope.ts'
export type { TransactionOptions } from './transaction-options.ts'
export type { WebSocketTransportOptions } from './transports/websocket.ts'
export { webSocketTransport } from './transports/websocket.ts'
export type { FrontListener } from './wire/front-options.ts'
export type {
  Address,
  Connection,
  ConnectOptions,
  TlsOptions,
  Transport,
  TransportFailureReason,
} from './wire/transport.ts'
export { TransportError } from './wire/transport.ts'
