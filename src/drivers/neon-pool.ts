import { Pool, type PoolClient } from '@neondatabase/serverless'
import { NeonClient, type NeonClientOptions, type NeonHost } from './neon-client.ts'

type ConnectCallback = (
  error: Error | undefined,
  client: PoolClient | undefined,
  done: (error?: Error | boolean) => void,
) => void

/**
 * Neon's `Pool`, of clients that all speak on one connection. They cost next to nothing, so nobody waits
 * for one: whoever waits does so on the connection, where there is a deadline.
 */
export class NeonPool extends Pool {
  readonly #host: NeonHost

  /** Takes what makes a host for a client. */
  constructor(createHost: () => NeonHost, { types }: NeonClientOptions = {}) {
    // A timer would outlive the request.
    super({ max: Number.POSITIVE_INFINITY, idleTimeoutMillis: 0, types })
    this.#host = createHost()
    const Client = class extends NeonClient {
      constructor() {
        super(createHost(), { types })
      }
    }
    this.Client = Client
    // The module's default may be to query by HTTP, which has another idea of where the database is.
    this.hasFetchUnsupportedListeners = true
  }

  override connect(): Promise<PoolClient>
  override connect(callback: ConnectCallback): void
  override connect(callback?: ConnectCallback): Promise<PoolClient> | undefined {
    if (!callback) return this.#lend()
    void this.#lend().then(
      (client) => callback(undefined, client, client.release),
      (error) => callback(error, undefined, () => undefined),
    )
    return undefined
  }

  async #lend(): Promise<PoolClient> {
    this.#host.admit('')
    const client = await super.connect()
    const release = client.release
    client.release = (error) => {
      const leavesOpen = client instanceof NeonClient && client.isInTransaction
      // Behind its rollback, the next one to get the client is in no transaction.
      if (leavesOpen && !error) client.query('rollback').catch(() => undefined)
      release(error)
    }
    return client
  }
}
