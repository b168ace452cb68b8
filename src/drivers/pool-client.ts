import postgres, { type Sql } from 'postgres'
import type { Driver, PoolHost, PoolWork } from './driver.ts'
import { type Health, mendQuery } from './mend-query.ts'
import { type OpenClient, openClient } from './open-client.ts'
import { Outstanding } from './outstanding.ts'
import { optionsFor, type SettledOptions, settledOptions } from './settled-options.ts'

type Handler = (query: Query) => void

/** What of postgres.js's `Query` is used here; its types do not show it. */
interface Query extends Promise<unknown> {
  handler: Handler
  canceller: unknown
  /** Whether it was cancelled before it was handed over. */
  cancelled: unknown
  reject(error: unknown): void
}

/** How queries are handed to the connection of a client, and cancelled there. */
interface Hands {
  open: OpenClient
  handler: Handler
  canceller: unknown
}

/**
 * A client of which every query, transaction and reservation is handed to a client of one connection when it
 * is to run. It connects to nothing by itself.
 *
 * @returns nothing for a driver that `postgresDriver` has not made.
 */
export function createPoolClient(driver: Driver, host: PoolHost): Sql | undefined {
  const settled = settledOptions.get(driver)?.()
  return settled && createClient(host, settled)
}

function createClient(host: PoolHost, settled: SettledOptions): Sql {
  const unused = (): never => {
    throw host.unsupported('A connection of the pool itself')
  }
  const builder = postgres(optionsFor({ ...host, connect: unused }, settled, [])) as Sql
  const dispatcher = new Dispatcher(host, settled, builder)
  const { unsafe, file } = builder
  const own = {
    unsafe: (...values: Parameters<Sql['unsafe']>) => dispatcher.dispatch(unsafe(...values)),
    file: (...values: Parameters<Sql['file']>) =>
      dispatcher.dispatch(file(...values), ({ open }) => handlerOf(open.bare.file(...values))),
    begin: (...values: Parameters<Sql['begin']>) => dispatcher.begin(values),
    reserve: () => dispatcher.reserve(),
    notify: (channel: string, payload: string) => client`select pg_notify(${channel}, ${payload})`,
    listen: () => Promise.reject(host.unsupported('sql.listen')),
    subscribe: () => Promise.reject(host.unsupported('sql.subscribe')),
    end: () => host.end(),
    close: () => host.end(),
  }
  // Large objects begin their transaction by this very object.
  const client = new Proxy(Object.assign(builder, own) as unknown as Sql, {
    apply: (target, _self, values: unknown[]) =>
      dispatcher.dispatch(Reflect.apply(target as never, undefined, values)),
  })
  return client
}

/** Hands out work, each to a client of its own connection. */
class Dispatcher {
  #host: PoolHost
  #settled: SettledOptions
  #builder: Sql
  /** Of queries that nobody has handed out; of those that were, their client looks after them. */
  #outstanding = new Outstanding()

  constructor(host: PoolHost, settled: SettledOptions, builder: Sql) {
    this.#host = host
    this.#settled = settled
    this.#builder = builder
  }

  /** Has a query handed out when it is to run; what else is made stays as it is. */
  dispatch<T>(made: T, handlerFor: (hands: Hands) => Handler = ({ handler }) => handler): T {
    if (!isQuery(made)) return made
    let health: Health | undefined
    const query: Query = made
    query.handler = () => {
      const work = this.#begin(query)
      if (!work) return
      const hands = this.#handsOf(work)
      health = hands.open.health
      health.outstanding.add(query, (reason) => query.reject(reason))
      query.canceller = hands.canceller
      const done = (): void => work.done()
      void Promise.prototype.then.call(query, done, done)
      // Behind the statement without text with which a new client logs in: what it connects for must not be
      // cancelled.
      queueMicrotask(() => {
        if (!query.cancelled) handlerFor(hands)(query)
      })
    }
    mendQuery(query, this.#builder.CLOSE, {
      failing: () => health?.failing() ?? false,
      failure: () => health?.failure(),
      outstanding: this.#outstanding,
      bind: this.#host.bind,
      checksValues: this.#settled.transform.undefined === undefined,
    })
    return made
  }

  async begin(values: unknown[]): Promise<unknown> {
    const work = this.#host.begin('transaction')
    try {
      const { sql } = this.#handsOf(work).open
      return await (sql.begin as (...values: unknown[]) => Promise<unknown>)(...values)
    } finally {
      work.done()
    }
  }

  async reserve(): Promise<Awaited<ReturnType<Sql['reserve']>>> {
    const work = this.#host.begin('reserve')
    const reserved = await this.#handsOf(work).open.sql.reserve()
    const release = reserved.release.bind(reserved)
    let held = true
    return Object.assign(reserved, {
      release() {
        if (!held) return
        held = false
        release()
        work.done()
      },
    })
  }

  #begin(query: Query): PoolWork | undefined {
    try {
      return this.#host.begin('query', query)
    } catch (error) {
      query.reject(error)
      return undefined
    }
  }

  #handsOf(work: PoolWork): Hands {
    const known = work.client as Hands | undefined
    if (known) return known
    const host = { ...this.#host, connect: work.connect.bind(work) }
    // What a user teaches the pool's client about types, its connections know.
    const { parsers, serializers } = this.#builder.options as unknown as SettledOptions
    const open = openClient(host, { ...this.#settled, parsers, serializers })
    const { handler, canceller } = open.bare.unsafe('') as unknown as Query
    const hands = { open, handler, canceller }
    work.client = hands
    return hands
  }
}

function handlerOf(made: unknown): Handler {
  return (made as Query).handler
}

function isQuery(made: unknown): made is Query {
  return made instanceof Promise && 'handler' in made && 'canceller' in made
}
