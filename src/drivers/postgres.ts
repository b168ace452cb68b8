import postgres, { type Sql } from 'postgres'
import type { Driver, DriverHost } from './driver.ts'
import { openClient } from './open-client.ts'
import type { PostgresDriverOptions } from './postgres-driver-options.ts'
import { reserveApart } from './reserve.ts'
import { optionsFor, type SettledOptions, settle, settledOptions } from './settled-options.ts'

export { createPoolClient } from './pool-client.ts'
export type { PostgresDriverOptions } from './postgres-driver-options.ts'

/**
 * postgres.js, unmodified, on the wire of this package.
 *
 * It keeps no prepared statements, asks for no types and opens one connection. Everything else works
 * as its README says, but for what needs a session: `listen` and `subscribe` reject with
 * `ERR_SESSION_STATE`.
 *
 * @see https://github.com/porsager/postgres
 *
 * @example Column names in camel case
 * ```ts
 * import { createDatabase, postgresDriver } from 'nullpool'
 * import postgres from 'postgres'
 *
 * const database = createDatabase({ driver: postgresDriver({ transform: postgres.camel }) })
 * ```
 */
export function postgresDriver(options: PostgresDriverOptions = {}): Driver {
  let settled: SettledOptions | undefined
  const settleOnce = (): SettledOptions => {
    settled ??= settle(options)
    return settled
  }
  const driver: Driver = { createClient: (host) => createClient(host, settleOnce()) }
  settledOptions.set(driver, settleOnce)
  return driver
}

function createClient(host: DriverHost, settled: SettledOptions): Sql {
  if (host.connections) return postgres(optionsFor(host, settled, [])) as Sql
  return openClient(host, settled, {
    reserve: reserveApart(() => openClient(host, settled).sql),
    listen: () => Promise.reject(host.unsupported('sql.listen')),
    subscribe: () => Promise.reject(host.unsupported('sql.subscribe')),
  }).sql
}
