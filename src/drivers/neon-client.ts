import { Client, type CustomTypesConfig, type Pool } from '@neondatabase/serverless'
import { NullpoolError } from '../errors.ts'
import type { FrontListener } from '../wire/front-options.ts'
import type { TransactionStatus } from '../wire/messages.ts'
import type { DriverConnection } from './driver.ts'
import { FrontWebSocket, type FrontWebSocketOwner } from './front-web-socket.ts'
import { bindSafely } from './neon-bind.ts'
import { callbackOf, isSubmittable, ownQuery, type Submittable, textOf } from './neon-query.ts'
import { ownError } from './own-error.ts'

export type { Client, CustomTypesConfig, Pool }

/** What is sent in the place of a statement. */
export interface Revised {
  text: string
  /** Calls what sends it when it is its turn, at once if nothing is to be waited for. */
  send: <T>(statement: () => Promise<T>) => Promise<T>
}

/** Whatever a client of Neon's driver belongs to. */
export interface NeonHost {
  /** @throws {NullpoolError} for a statement that may not be sent, now or at all. */
  admit(text: string): void
  /** A stand-in for a connection: it trusts the driver and is ready at once. */
  connect(listener: FrontListener): DriverConnection
  /** What is sent in the place of a statement, and when. */
  revise(text: string): Revised
  /** Throws what a statement failed with, or returns its result all the same. */
  settle(error: unknown, text: string): unknown
  /** Whether somebody who leaves now has left a transaction open. */
  isInTransaction(status: TransactionStatus): boolean
  /** Whether others wait until the client ends its transaction. */
  readonly inSavepoint: boolean
}

/** What of the driver's options makes sense where the connection is somebody else's. */
export interface NeonClientOptions {
  types?: CustomTypesConfig | undefined
}

/** Says nothing of the server: the driver has to be given something, and connects to nothing. */
const NOWHERE = { host: 'nullpool', port: 0, user: 'nullpool', database: 'nullpool', ssl: false }

/**
 * Neon's `Client`, on a front. Everything that it does is its own, but for what would end it or hang: it
 * connects with its first statement, and what fails is told to whoever has asked, once.
 */
export class NeonClient extends Client {
  readonly #host: NeonHost
  #connected: Promise<void> | undefined
  /** Whether somebody has asked for the connection. */
  #asked = false
  /** What the driver was told last that was not the server's. */
  #told: NullpoolError | undefined
  #status: TransactionStatus = 'I'

  constructor(host: NeonHost, { types }: NeonClientOptions = {}) {
    super({ ...NOWHERE, types })
    this.#host = host
    const owner: FrontWebSocketOwner = {
      connect: (listener) => host.connect(listener),
      failed: (error) => {
        this.#told = error
      },
      answered: (status) => {
        this.#status = status
      },
    }
    Object.assign(this.neonConfig, {
      webSocketConstructor: FrontWebSocket.bind(undefined, owner),
      wsProxy: NOWHERE.host,
      // Whatever the module's own defaults are by now: of TLS and passwords the wire takes care.
      pipelineConnect: false,
      pipelineTLS: false,
      forceDisablePgSSL: true,
      // It would have every statement wait for a timer; the front joins what belongs together.
      coalesceWrites: false,
    })
    bindSafely(this.connection)
  }

  /** Whether somebody who leaves now has left a transaction open. */
  get isInTransaction(): boolean {
    return this.#host.isInTransaction(this.#status)
  }

  override connect(): Promise<void>
  override connect(callback: (error?: Error) => void): void
  override connect(callback?: (error?: Error) => void): Promise<void> | undefined {
    const connected = this.#connectAsAsked()
    if (!callback) return connected
    void connected.then(() => callback(), callback)
    return undefined
  }

  async #connectAsAsked(): Promise<void> {
    this.#host.admit('')
    // The driver refuses to connect twice, but not to those whose statements came first.
    const again = this.#asked
    this.#asked = true
    return again ? super.connect() : this.#connect()
  }

  #connect(): Promise<void> {
    this.#connected ??= super.connect()
    return this.#connected
  }

  override end(): Promise<void>
  override end(callback: (error?: Error) => void): void
  override end(callback?: (error?: Error) => void): Promise<void> | undefined {
    const ended = this.#end()
    if (!callback) return ended
    void ended.then(() => callback(), callback)
    return undefined
  }

  async #end(): Promise<void> {
    // It is a part of a transaction that others go on with.
    if (this.#host.inSavepoint) await this.#ask('rollback', undefined).catch(() => undefined)
    await super.end()
  }

  override query(...given: unknown[]): never {
    const [config, ...rest] = given
    const isQuery = typeof config === 'string' || (typeof config === 'object' && config !== null)
    if (!isQuery) throw notAQuery()
    if (isSubmittable(config)) return this.#submit(config, rest) as never
    const callback = callbackOf(config, rest)
    const result = this.#ask(config, rest[0])
    if (!callback) return result as never
    void result.then((value) => callback(null, value), callback)
    return undefined as never
  }

  async #ask(config: string | object, values: unknown): Promise<unknown> {
    const text = textOf(config)
    this.#host.admit(text)
    const revised = this.#host.revise(text)
    const query = ownQuery(config, values, revised.text)
    try {
      return await revised.send(async () => {
        this.#start()
        return await super.query(query)
      })
    } catch (error) {
      return this.#host.settle(this.#own(error), text)
    }
  }

  /** What runs by itself, such as a cursor, hears of failures by itself. */
  #submit(query: Submittable, rest: unknown[]): Submittable {
    const { handleError } = query
    query.handleError = (error, connection) =>
      handleError?.call(query, this.#own(error), connection)
    const refuse = (error: unknown): void => {
      query.callback ??= callbackOf(query, rest)
      queueMicrotask(() => query.handleError?.(error, this.connection))
    }
    try {
      this.#host.admit(textOf(query))
      // Its text is its own; what it waits for is the client's.
      this.#host
        .revise('')
        .send(async () => {
          this.#start()
          super.query(query as never, ...(rest as []))
        })
        .catch(refuse)
    } catch (error) {
      refuse(error)
    }
    return query
  }

  #start(): void {
    // Where that fails, the driver's own words are for whoever has asked a statement.
    this.#connect().catch(() => undefined)
  }

  /** What the front has said in the server's words is an error of ours. */
  #own(error: unknown): unknown {
    const own = ownError(error)
    if (!NullpoolError.is(own)) return error
    const told = this.#told
    this.#told = undefined
    return told?.code === own.code ? told : own
  }
}

function notAQuery(): TypeError {
  return new TypeError('query() takes a text, an object with a text, or something to submit.')
}
