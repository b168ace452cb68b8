/** How a login may be shortened, and how much may be under way, with the pooler at hand. */
export interface Profile {
  readonly name: 'universal' | 'pipelined' | 'direct' | 'hyperdrive'
  /**
   * SCRAM is begun with the start-up message, and the first flight leaves with the proof. Servers that
   * take a delivery for a message lose the rest, and such that ask for another method refuse.
   */
  readonly pipelinesLogin: boolean
  /** TLS begins with the first byte, told by ALPN, without asking for it. */
  readonly directTls: boolean
  /** Flights of one driver that may be under way together. */
  readonly concurrency: number
  /** Whether the goodbye is over only once the server has hung up as well. */
  readonly awaitsClose: boolean
}

/** Right everywhere: one message to a write, one flight at a time. */
export const universal: Profile = {
  name: 'universal',
  pipelinesLogin: false,
  directTls: false,
  concurrency: 1,
  awaitsClose: true,
}

/** PgBouncer and Postgres, which read messages and not deliveries. */
export const pipelined: Profile = {
  name: 'pipelined',
  pipelinesLogin: true,
  directTls: false,
  concurrency: 100,
  awaitsClose: true,
}

/** Neon, PgBouncer from 1.25 and Postgres from 17 on. */
export const direct: Profile = { ...pipelined, name: 'direct', directTls: true }

/** Hyperdrive's local socket: no password is asked for, and it minds its connections itself. */
export const hyperdrive: Profile = { ...universal, name: 'hyperdrive', awaitsClose: false }
