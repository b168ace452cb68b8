import { setImmediate as nextLoopTurn } from 'node:timers/promises'
import {
  createDatabase,
  type DatabaseOptions,
  NullpoolError,
  type NullpoolErrorCode,
  type Scope,
} from 'nullpool'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { type CountingProxy, type ProxyTarget, startCountingProxy } from './counting-proxy.ts'
import type { Fault } from './proxy-faults.ts'
import { createTestDatabase, type TestDatabase } from './test-database.ts'
import { FrameTracker } from './wire-messages.ts'

/** How a server goes away. */
export type How = 'fin' | 'rst' | 'silence'

export const WAYS: readonly How[] = ['fin', 'rst', 'silence']
export const CLOSINGS: readonly ('fin' | 'rst')[] = ['fin', 'rst']

/** Nobody waits for these: a machine that is busy must not look like a server that is silent. */
const PATIENT = { connectTimeoutMs: 15_000, queryTimeoutMs: 15_000, closeTimeoutMs: 5_000 } as const

/**
 * Ends the wait for a silent server; the other ways of leaving need no deadline. What is answered before has this
 * long, too, on a machine that may stand still for a moment.
 */
export function impatient(
  how: How,
  limit: 'connectTimeoutMs' | 'queryTimeoutMs' | 'closeTimeoutMs',
  ms = limit === 'queryTimeoutMs' ? 1_000 : 300,
): DatabaseOptions {
  return how === 'silence' ? { closeTimeoutMs: 300, [limit]: ms } : {}
}

/** What a failure has to look like. */
export interface Expected {
  code: NullpoolErrorCode
  retryable: boolean
}

/** What every test of a server that goes away needs. Its hooks are set where it is made. */
export interface FaultBed {
  readonly database: TestDatabase
  readonly proxy: CountingProxy
  /** A scope over the proxy. Its limits are long unless told otherwise. */
  scope(options?: DatabaseOptions & { query?: string }): Scope
  /**
   * The server goes away at its next message of this kind: its type byte, with the code behind it for
   * `R`. So many bytes of it still arrive.
   */
  leaveAt(how: How, message: string, keep?: number): void
  /** The server goes away at its next chunk, whatever is in it, once the client's turn is this one. */
  leaveInTurn(how: How, turn: number, keep?: number): void
  /** The server goes away now. Resolves when the client has closed its side too. */
  cut(how: 'fin' | 'rst'): Promise<void>
  /**
   * One error of the right kind, the same kind at once for whatever follows (`follow`), one attempt to connect, an
   * end, and no harm to the next request.
   */
  expectFailure(
    scope: Scope,
    failing: Promise<unknown>,
    expected: Expected,
    follow?: () => Promise<unknown>,
  ): Promise<NullpoolError>
}

class Bed implements FaultBed {
  #database: TestDatabase | undefined
  #proxy: CountingProxy | undefined
  #removers: (() => void)[] = []

  get database(): TestDatabase {
    if (!this.#database) throw new Error('The bed is not made yet.')
    return this.#database
  }

  get proxy(): CountingProxy {
    if (!this.#proxy) throw new Error('The bed is not made yet.')
    return this.#proxy
  }

  async make(): Promise<void> {
    this.#database = await createTestDatabase()
  }

  async begin(target: ProxyTarget): Promise<void> {
    this.#proxy = await startCountingProxy({ target })
    this.#removers = []
  }

  async end(): Promise<void> {
    await this.#proxy?.stop()
  }

  async clear(): Promise<void> {
    await this.#database?.[Symbol.asyncDispose]()
  }

  scope({ query = '', ...options }: DatabaseOptions & { query?: string } = {}): Scope {
    return createDatabase({
      url: this.database.url(this.proxy, { query }),
      ...PATIENT,
      ...options,
    }).scope()
  }

  leaveAt(how: How, message: string, keep = 0): void {
    this.#inject(leavingAt(how, message, keep))
  }

  leaveInTurn(how: How, turn: number, keep = 0): void {
    this.#inject({
      when: (event) =>
        event.direction === 'down' && event.turn === turn
          ? { truncate: keep, andThen: how === 'silence' ? 'stall' : how }
          : undefined,
    })
  }

  async cut(how: 'fin' | 'rst'): Promise<void> {
    this.proxy.cutAll(how)
    await this.proxy.until(({ connections }) => connections.every(({ open }) => !open))
  }

  async expectFailure(
    scope: Scope,
    failing: Promise<unknown>,
    expected: Expected,
    follow: () => PromiseLike<unknown> = () => scope.sql`select ${2}::int`,
  ): Promise<NullpoolError> {
    const error = await failureOf(failing)
    expect(error).toMatchObject(expected)
    const again = await failureOf(atOnce(follow()))
    expect(again).toMatchObject(expected)
    await scope.close()
    // One attempt, and for a statement that may still run one request to cancel it.
    const cancels = expected.code === 'ERR_QUERY_TIMEOUT' ? 1 : 0
    expect(this.proxy.connections.length).toBeLessThanOrEqual(1 + cancels)
    expect(scope.metrics.connects).toBeLessThanOrEqual(1)
    await this.proxy.until(({ connections: [first] }) => first?.closedBy !== undefined)
    for (const remove of this.#removers.splice(0)) remove()
    await using next = this.scope()
    expect(await next.sql`select 1 as n`).toEqual([{ n: 1 }])
    return error
  }

  #inject(fault: Fault): void {
    this.#removers.push(this.proxy.inject(fault))
  }
}

/** Makes a bed in front of a server and sets the hooks of the suite around it. */
export function useFaultBed(target: () => ProxyTarget): FaultBed {
  const bed = new Bed()
  const unhandled: unknown[] = []
  const note = (reason: unknown): void => {
    unhandled.push(reason)
  }
  beforeAll(async () => {
    process.on('unhandledRejection', note)
    await bed.make()
  })
  beforeEach(() => bed.begin(target()))
  afterEach(async () => {
    await bed.end()
    // Node tells of an unhandled rejection once the microtasks are through.
    await nextLoopTurn()
    expect(unhandled.splice(0)).toEqual([])
  })
  afterAll(async () => {
    process.off('unhandledRejection', note)
    await bed.clear()
  })
  return bed
}

/** Truncates at a message, however the chunks fall. Clear text only. */
function leavingAt(how: How, message: string, keep: number): Fault {
  const trackers = new Map<number, FrameTracker>()
  return {
    when({ connection, direction, bytes }) {
      if (direction === 'up') return undefined
      const tracker = trackers.get(connection) ?? new FrameTracker()
      trackers.set(connection, tracker)
      let start = 0
      for (const { tag, end } of tracker.push(bytes)) {
        const code = tag === 'R' ? Buffer.from(bytes).readUInt32BE(start + 5) : ''
        const at = Math.min(start + keep, end)
        if (`${tag}${code}` === message) {
          return { truncate: at, andThen: how === 'silence' ? 'stall' : how }
        }
        start = end
      }
      return undefined
    },
  }
}

/** The error of something that has to fail with one of ours. */
export async function failureOf(failing: Promise<unknown>): Promise<NullpoolError> {
  const error = await failing.then(
    (value) => new Error('It did not fail.', { cause: value }),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(NullpoolError)
  return error as NullpoolError
}

/** The outcome of something that needs neither the network nor the clock. */
export async function atOnce<T>(work: PromiseLike<T>): Promise<T> {
  const settled = Promise.resolve(work)
  let pending = true
  const note = (): void => {
    pending = false
  }
  settled.then(note, note)
  for (let turn = 0; turn < 20 && pending; turn += 1) await nextLoopTurn()
  if (pending) throw new Error('It waits for something.')
  return settled
}
