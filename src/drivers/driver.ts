import type { Sql, TransactionSql } from 'postgres'
import type { NullpoolError } from '../errors.ts'
import type { FrontListener } from '../wire/front-options.ts'

export type { Sql, TransactionSql }
/** The server, as a driver sees it. */
export interface DriverConnection {
  /** Takes whole messages of the protocol; calls back once they were handed to the runtime. */
  write(bytes: Uint8Array, taken?: () => void): void
  /** The driver closes its side. */
  end(): void
  /** The driver wants no more bytes for now. */
  pause(): void
  /** The driver wants bytes again. */
  resume(): void
  /** Makes the error of every statement from now on; nothing as long as the connection is all right. */
  readonly failure: (() => NullpoolError) | undefined
  /** Whether {@link FrontListener.error} is about to be called: what it awaits has failed already. */
  readonly failing: boolean
}

/** What a driver is given to make a client for one request. */
export interface DriverHost {
  /** Shown in the driver's own error messages; nothing is connected to by them. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  /** How many statements are to be offered at once, each on a connection of its own; one after another without it. */
  readonly connections?: number
  /** A stand-in for a connection: it trusts the driver and is ready at once. */
  connect(listener: FrontListener): DriverConnection
  /** The same function, which sees the asynchronous contexts of the work at hand, whoever calls it. */
  bind?: <V extends unknown[], R>(callback: (...values: V) => R) => (...values: V) => R
  /** Reports a server's notice. */
  notice(notice: { severity: string; code: string; message: string }): void
  /** The error for something that a pooled connection cannot do, such as `LISTEN`. */
  unsupported(feature: string): NullpoolError
}

/** One use of a connection of a pool. */
export interface PoolWork {
  /** A stand-in for a connection, as of {@link DriverHost}. */
  connect(listener: FrontListener): DriverConnection
  /** Whatever the driver wants to keep for the next use. */
  client?: unknown
  /** Nothing more comes of this use. */
  done(): void
}

/** What a driver is given to make the client of a pool. */
export interface PoolHost extends Omit<DriverHost, 'connect' | 'connections'> {
  /**
   * Begins one use, which waits for its connection by itself.
   *
   * @throws NullpoolError where the pool is closed.
   */
  begin(kind: 'query' | 'transaction' | 'reserve', query?: object): PoolWork
  /** The user ends the client. */
  end(): Promise<void>
}

/** Makes clients that speak through a {@link DriverHost}. The default one is postgres.js. */
export interface Driver {
  /** Called once for a request, at its first use of `sql`. Must not connect by itself. */
  createClient(host: DriverHost): Sql
}
