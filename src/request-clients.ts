import { runtime } from '#runtime'
import type { Identity } from './claims.ts'
import type { ConnectionPlan } from './connection-plan.ts'
import type { DriverHost, Sql } from './drivers/driver.ts'
import { createGuard, type Guard, type GuardMode, type GuardWords } from './guard/guard.ts'
import type { Settings } from './options.ts'
import { cachedForOthers, sessionRequired } from './scope-refusals.ts'
import { Batch } from './wire/batch.ts'
import { Front } from './wire/front.ts'
import type { FrontListener, FrontOptions } from './wire/front-options.ts'
import type { Upstream } from './wire/upstream.ts'

/** How values of types are read and written, by OID. */
export interface TypeHandlers {
  parsers: Record<string, (text: string) => unknown>
  serializers: Record<string, (value: unknown) => unknown>
}

/** How a client does that where it is not as the driver does. */
export interface ClientTypes extends TypeHandlers {
  /** Changes what a new client has of the driver. */
  change?: (handlers: TypeHandlers) => void
}

/** What a client is for. */
export interface ClientOptions {
  /** For whom its statements run; the connection's own role, if nobody. */
  identity?: Identity | undefined
  /** What its front does on its own; asked when the client connects. */
  front?: () => FrontOptions
  /** Given each front that the client opens; one, unless it reserves. */
  opened?: (front: Front) => void
  types?: ClientTypes | undefined
}

/** Opens a front for the client that listens. */
export type OpenFront = (listener: FrontListener, options?: FrontOptions) => Front

/** How clients of a pool differ from those of a request. */
export interface ClientUsage {
  /** What becomes of statements that need a session. */
  guard: GuardMode
  /** Looks at each statement before everything else. */
  refuse?: Guard | undefined
  /** Told of each statement that needs a session. */
  found: () => void
  words: GuardWords
}

/** Makes clients of the driver, which all speak through the connection of one request. */
export class RequestClients {
  readonly #settings: Settings
  readonly #plan: ConnectionPlan
  readonly #connect: () => Upstream
  readonly #warn: (code: string, message: string) => void
  readonly #usage: ClientUsage | undefined

  /** Takes what gives the connection, and what is told of warnings. */
  constructor(
    settings: Settings,
    plan: ConnectionPlan,
    connect: () => Upstream,
    warn: (code: string, message: string) => void,
    usage?: ClientUsage,
  ) {
    this.#settings = settings
    this.#plan = plan
    this.#connect = connect
    this.#warn = warn
    this.#usage = usage
  }

  /** A client; see {@link ClientOptions}. */
  create(options: ClientOptions = {}): Sql {
    const { types } = options
    const sql = this.#createClient(this.connector(options))
    types?.change?.(sql.options as unknown as TypeHandlers)
    Object.assign(sql.options.parsers, types?.parsers)
    Object.assign(sql.options.serializers, types?.serializers)
    return sql
  }

  /** What connects a client that is made elsewhere. */
  connector({ identity, front, opened }: ClientOptions): DriverHost['connect'] {
    const openFront = this.prepareFront(identity)
    return (listener) => {
      const made = openFront(listener, front?.())
      opened?.(made)
      return made
    }
  }

  /**
   * What opens fronts for somebody.
   *
   * @throws {NullpoolError} for whatever keeps the connection from being used at all.
   */
  prepareFront(identity: Identity | undefined): OpenFront {
    const upstream = this.#connectFor(identity)
    const guard = this.#guardFor(identity)
    return (listener, options = {}) => {
      const settings = [...(identity?.settings ?? []), ...(options.settings ?? [])]
      return new Front(upstream, listener, { ...options, settings, guard })
    }
  }

  /** A client of which each of the first statements is a part of one batch. */
  createBatch(identity: Identity | undefined, size: number): { client: Sql; batch: Batch } {
    const settings = identity?.settings ?? []
    const batch = new Batch(this.#connectFor(identity), size, settings)
    const options = { settings, guard: this.#guardFor(identity) }
    const client = this.#createClient((listener) => new Front(batch, listener, options), size)
    return { client, batch }
  }

  /** What becomes of statements that need a session. */
  get guard(): GuardMode {
    return this.#usage?.guard ?? this.#plan.guard
  }

  /** Tells of what is let through all the same. */
  warn({ code, message }: { code: string; message: string }): void {
    this.#warn(code, message)
  }

  #createClient(connect: DriverHost['connect'], connections?: number): Sql {
    const { host, port, user, database } = this.#plan.target
    return this.#settings.driver.createClient({
      ...{ host, port, user, database, connect },
      ...(connections ? { connections } : {}),
      bind: runtime.bind,
      notice: ({ severity, code, message }) => this.#warn(code, `${severity}: ${message}`),
      unsupported: sessionRequired,
    })
  }

  #connectFor(identity: Identity | undefined): Upstream {
    const mayCache = this.#plan.hyperdrive && this.#settings.hyperdriveCaching
    if (identity && mayCache) throw cachedForOthers()
    return this.#connect()
  }

  #guardFor(identity: Identity | undefined): Guard | undefined {
    const guard = createGuard({
      session: this.guard,
      found: this.#usage?.found,
      words: this.#usage?.words,
      // For whom a statement runs matters with any pooler.
      claims: identity ? (this.#settings.guard ?? 'throw') : 'off',
      warn: (error) => this.warn(error),
    })
    const refuse = this.#usage?.refuse
    return refuse ? (text) => refuse(text) ?? guard?.(text) : guard
  }
}
