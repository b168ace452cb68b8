import { readFile } from 'node:fs/promises'
import { inject } from 'vitest'
import { type StrictPooler, type StrictPoolerOptions, startStrictPooler } from './strict-pooler.ts'
import type { BackendLogin } from './strict-pooler-backend.ts'
import { createTestDatabase, type TestDatabase } from './test-database.ts'
import { ScramExchange, WireClient } from './wire-client.ts'
import type { Frame } from './wire-messages.ts'
import * as messages from './wire-messages.ts'

/** What the model's own tests need: a database, models in front of it, raw clients. */
export class StrictPoolerBed implements AsyncDisposable {
  readonly database: TestDatabase
  readonly #poolers: StrictPooler[] = []
  readonly #clients: WireClient[] = []

  private constructor(database: TestDatabase) {
    this.database = database
  }

  static async create(): Promise<StrictPoolerBed> {
    return new StrictPoolerBed(await createTestDatabase())
  }

  /** How to log in to the real server. */
  get backend(): BackendLogin {
    return { ...this.database.servers.postgres, database: this.database.name }
  }

  async start(options: Partial<StrictPoolerOptions> = {}): Promise<StrictPooler> {
    const pooler = await startStrictPooler({ backend: this.backend, ...options })
    this.#poolers.push(pooler)
    return pooler
  }

  /** How to log in to the model. */
  login(pooler: StrictPooler): { user: string; password: string; database: string } {
    const { user, password, database } = this.backend
    return { user: `${user}.${pooler.tenant}`, password, database }
  }

  /** A raw client that has sent nothing. */
  async connect(address: { host: string; port: number }): Promise<WireClient> {
    const client = await WireClient.connect(address)
    this.#clients.push(client)
    return client
  }

  /** A raw client that is logged in. */
  async enter(pooler: StrictPooler): Promise<WireClient> {
    const client = await this.connect(pooler)
    await client.login(this.login(pooler))
    return client
  }

  /** A raw client that has sent its start-up message and got R10. */
  async greet(pooler: StrictPooler): Promise<{ client: WireClient; exchange: ScramExchange }> {
    const client = await this.connect(pooler)
    client.send(this.startup(pooler))
    await client.until('R')
    return { client, exchange: new ScramExchange(this.backend.password) }
  }

  /** A raw client that has got R11, and the message that answers it. */
  async challenge(
    pooler: StrictPooler,
  ): Promise<{ client: WireClient; final: Buffer; exchange: ScramExchange }> {
    const { client, exchange } = await this.greet(pooler)
    client.send(messages.saslInitialResponse('SCRAM-SHA-256', exchange.first))
    const { payload } = await client.next()
    const final = messages.saslResponse(exchange.final(payload.toString('utf8', 4)))
    return { client, final, exchange }
  }

  startup(pooler: StrictPooler, more: Record<string, string> = {}): Buffer {
    const { user, database } = this.login(pooler)
    return messages.startupMessage({ user, database, ...more })
  }

  /** Between tests: clients and models go, the database stays. */
  async clear(): Promise<void> {
    for (const client of this.#clients.splice(0)) client.destroy()
    for (const pooler of this.#poolers.splice(0)) await pooler.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.clear()
    await this.database[Symbol.asyncDispose]()
  }
}

/** The tags of some messages, runs of one tag as one: `RSKZ`. */
export function tags(frames: readonly Frame[]): string {
  return frames
    .map(({ tag }) => tag)
    .join('')
    .replace(/(.)\1+/g, '$1')
}

/** The first column of every row. */
export function values(frames: readonly Frame[]): (string | null | undefined)[] {
  return frames
    .filter(({ tag }) => tag === 'D')
    .map(({ payload }) => messages.rowValues(payload)[0])
}

/** The last thing a server said before it closed, as `severity code message`. */
export async function lastWords(client: WireClient): Promise<string> {
  const frames = await client.ended()
  const last = frames.at(-1)
  if (last?.tag !== 'E') return `closed after ${tags(frames) || 'nothing'}`
  const { S, C, M } = messages.errorFields(last.payload)
  return `${S} ${C} ${M}`
}

/** The certificate of the test servers, for the model. */
export async function readTls(): Promise<{ key: string; cert: string }> {
  const { certFile, keyFile } = inject('servers').certificateFiles
  return { cert: await readFile(certFile, 'utf8'), key: await readFile(keyFile, 'utf8') }
}
