import { Hono } from 'hono'
import { NullpoolError } from 'nullpool'
import { type NullpoolOptions, type NullpoolVariables, nullpool } from 'nullpool/hono'
import { afterAll, beforeAll, beforeEach, expect, inject } from 'vitest'
import { type CountingProxy, type ProxyConnection, startCountingProxy } from './counting-proxy.ts'
import { createTestDatabase, type TestDatabase } from './test-database.ts'

export type App = Hono<{ Variables: NullpoolVariables }>

/** Hono apps on a database of the file's own, seen through a counting proxy in front of PgBouncer. */
export interface HonoBed {
  readonly database: TestDatabase
  /** What was given to `waitUntil`. */
  readonly background: Promise<unknown>[]
  url(): string
  /** An app with the middleware, whose errors are answered with their codes. */
  app(options?: NullpoolOptions): App
  /** A request with an execution context, as Workers make it. */
  get(app: App, path?: string, init?: RequestInit): Response | Promise<Response>
  /** Everything that was opened is closed with a goodbye, and nothing is left in a transaction. */
  expectClosed(connections: number): Promise<void>
}

/** Call it inside of `describe`. */
export function honoBed(): HonoBed {
  let database: TestDatabase
  let proxy: CountingProxy
  let background: Promise<unknown>[] = []
  beforeAll(async () => {
    const { pgbouncer } = inject('servers')
    if (!pgbouncer) throw new Error('PgBouncer is not installed')
    database = await createTestDatabase()
    proxy = await startCountingProxy({ target: pgbouncer, record: true })
  })
  afterAll(async () => {
    await proxy.stop()
    await database[Symbol.asyncDispose]()
  })
  beforeEach(() => {
    proxy.reset()
    background = []
  })
  return {
    get database() {
      return database
    },
    get background() {
      return background
    },
    url: () => database.url(proxy),
    app(options = {}) {
      const app: App = new Hono()
      app.onError((error, c) => c.text(NullpoolError.is(error) ? error.code : error.message, 500))
      app.use(nullpool({ url: database.url(proxy), closeTimeoutMs: 10_000, ...options }))
      return app
    },
    get: (app, path = '/', init = {}) =>
      app.request(
        path,
        init,
        {},
        {
          waitUntil: (promise) => void background.push(promise),
          passThroughOnException() {},
          props: {},
        },
      ),
    async expectClosed(connections) {
      await Promise.all(background)
      expect(proxy.connections).toHaveLength(connections)
      await proxy.until(() => proxy.connections.every(({ open }) => !open))
      expect(proxy.connections.map(lastWord)).toEqual(proxy.connections.map(() => 'goodbye'))
      await expect.poll(() => database.pooledClients()).toBe(0)
      await expect.poll(() => database.idleInTransaction()).toBe(0)
    },
  }
}

const TERMINATE = Buffer.from([0x58, 0, 0, 0, 4])

/** A session ends with Terminate; a request to cancel is sixteen bytes and nothing else. */
function lastWord({ transcript }: ProxyConnection): string {
  const sent = Buffer.concat(
    transcript.filter(({ direction }) => direction === 'up').map(({ bytes }) => bytes),
  )
  if (sent.length === 16 && sent.readUInt32BE(4) === 80_877_102) return 'goodbye'
  return sent.subarray(-5).equals(TERMINATE) ? 'goodbye' : 'no goodbye'
}
