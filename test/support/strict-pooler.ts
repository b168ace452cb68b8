// A model of Supavisor's wire behaviour, not Supavisor: what its source says, in front of a real Postgres.
//
// It models the unforgiving parts of transaction mode up to release v2.9.10; hosted projects still
// showed them on 2026-09-14 (supabase/supabase#50358). Paths behind `sv:` are lib/supavisor of
// supabase/supavisor, with lines as of commit 03e5cc56 unless a release is named; lines without a
// path are those of client_handler.ex.
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, type SecureContext } from 'node:tls'
import { Conditions } from './conditions.ts'
import { type ScramSecret, scramSecret } from './scram-server.ts'
import { Pool } from './strict-pooler-backend.ts'
import { PoolerClient, type PoolerOfClients } from './strict-pooler-client.ts'
import {
  newStats,
  type Settings,
  type StrictPoolerOptions,
  type StrictPoolerStats,
  withDefaults,
} from './strict-pooler-options.ts'

export type { StrictPoolerOptions, StrictPoolerStats } from './strict-pooler-options.ts'

/** A running model. Clients log in as `<role>.<tenant>`. */
export interface StrictPooler {
  readonly host: string
  readonly port: number
  readonly tenant: string
  readonly stats: StrictPoolerStats
  /** Sends every idle client the ParameterStatus that Supavisor sends unasked every minute. */
  heartbeat(): void
  /** Resolves when the predicate holds; looked at on every event. */
  until(predicate: (stats: StrictPoolerStats) => boolean): Promise<void>
  /** Counts from zero, and forgets authentication failures. Open clients stay open. */
  reset(): void
  stop(): Promise<void>
}

class Model implements StrictPooler, PoolerOfClients {
  readonly host = '127.0.0.1'
  readonly port: number
  readonly settings: Settings
  readonly stats: StrictPoolerStats = newStats()
  readonly secureContext: SecureContext | undefined
  authFailures = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #clients = new Set<PoolerClient>()
  readonly #pools = new Map<string, Pool>()
  readonly #secrets = new Map<string, ScramSecret>()
  readonly #conditions = new Conditions<StrictPoolerStats>(this.stats)
  #accepted = 0

  constructor(server: Server, settings: Settings) {
    this.#server = server
    this.settings = settings
    this.port = (server.address() as AddressInfo).port
    this.secureContext = settings.tls && createSecureContext(settings.tls)
    server.on('connection', (socket) => this.#accept(socket))
  }

  get tenant(): string {
    return this.settings.tenant
  }

  heartbeat(): void {
    for (const client of this.#clients) client.heartbeat()
  }

  until(predicate: (stats: StrictPoolerStats) => boolean): Promise<void> {
    return this.#conditions.until(predicate)
  }

  reset(): void {
    const { clients, busy } = this.stats
    Object.assign(this.stats, newStats(), { clients, maxClientsSeen: clients, busy })
    this.authFailures = 0
    this.changed()
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const pool of this.#pools.values()) pool.stop()
    for (const client of this.#clients) client.destroy()
    for (const socket of this.#sockets) socket.destroy()
    await closed
    const seen = JSON.stringify(this.stats)
    this.#conditions.abandon(`The model was stopped while a condition was awaited: ${seen}`)
  }

  secret(role: string): ScramSecret | undefined {
    const password = this.settings.users.get(role)
    if (password === undefined) return undefined
    const secret = this.#secrets.get(role) ?? scramSecret(password)
    this.#secrets.set(role, secret)
    return secret
  }

  pool(role: string, database: string): Pool {
    const key = `${role}/${database}`
    const { backend, users, poolSize } = this.settings
    const login = { ...backend, user: role, password: users.get(role) ?? '', database }
    const pool = this.#pools.get(key) ?? new Pool(login, poolSize, this.#poolEvents(key))
    this.#pools.set(key, pool)
    return pool
  }

  cancel(key: string): void {
    for (const client of this.#clients) if (client.key === key) client.cancel()
  }

  changed(): void {
    this.#conditions.changed()
  }

  #poolEvents(key: string): ConstructorParameters<typeof Pool>[2] {
    return {
      violation: (text) => {
        this.stats.violations.push(`pool ${key}: ${text}`)
        this.changed()
      },
      destroyed: () => {
        this.stats.backendsDestroyed += 1
        this.changed()
      },
    }
  }

  #accept(socket: Socket): void {
    this.#accepted += 1
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    const client = new PoolerClient(this, socket, `client ${this.#accepted}`, () => {
      this.#clients.delete(client)
      this.stats.clients = this.#clients.size
    })
    this.#clients.add(client)
    this.stats.clients = this.#clients.size
    this.stats.maxClientsSeen = Math.max(this.stats.maxClientsSeen, this.#clients.size)
    this.changed()
  }
}

/** Starts the model on a free port of the loopback address. Backends are connected when needed. */
export async function startStrictPooler(options: StrictPoolerOptions): Promise<StrictPooler> {
  const server = createServer({ allowHalfOpen: true, noDelay: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return new Model(server, withDefaults(options))
}
