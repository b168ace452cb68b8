import postgres, { type Sql } from 'postgres'
import type { DriverHost } from './driver.ts'
import type { DriverSocket } from './driver-socket.ts'
import { eachQuery } from './each-query.ts'
import { type Health, mendQuery } from './mend-query.ts'
import { Outstanding } from './outstanding.ts'
import { optionsFor, type SettledOptions } from './settled-options.ts'

/** A client of one connection. */
export interface OpenClient {
  sql: Sql
  /** The same as postgres.js has made it: nothing of what it makes is mended. */
  bare: Sql
  health: Health
}

/** Makes a client of one connection, of which every query settles however the connection ends. */
export function openClient(
  host: DriverHost,
  settled: SettledOptions,
  own: Partial<Sql> = {},
): OpenClient {
  const sockets: DriverSocket[] = []
  const outstanding = new Outstanding()
  const failure = (): unknown => sockets.find((socket) => socket.failed)?.failure()
  const released = (): void => outstanding.reject(failure)
  const bare = postgres(optionsFor(host, settled, sockets, released)) as Sql
  const failing = (): boolean => sockets.some((socket) => socket.failing)
  const checksValues = settled.transform.undefined === undefined
  const health = { failing, failure, outstanding, checksValues, bind: host.bind }
  const mend = (made: unknown): void => mendQuery(made, bare.CLOSE, health)
  const reserve = bare.reserve
  const loggedIn = logIn(bare)
  const mended = {
    reserve: () => loggedIn.then(async () => eachQuery(await reserve(), mend, outstanding)),
  }
  return { sql: eachQuery(Object.assign(bare, mended, own), mend, outstanding), bare, health }
}

/**
 * Has a statement without text, which the front answers itself, come first. What postgres.js connects
 * for must be neither a reservation nor cancelled: both would keep all others waiting (postgres#1203).
 */
async function logIn(sql: Sql): Promise<void> {
  try {
    // At once: a statement whose promise is used before it is awaited would overtake it.
    await sql.unsafe('').execute()
  } catch {
    // Whatever is wrong is told to those who come next.
  }
}
