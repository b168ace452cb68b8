import postgres, { type Options, type PostgresType, type Sql } from 'postgres'
import { registerArrayTypes, type TypeOptions } from './array-types.ts'
import type { Driver, DriverHost } from './driver.ts'
import { DriverSocket } from './driver-socket.ts'

/** What of postgres.js's options makes sense for a connection that lives as long as a request. */
export interface PostgresDriverOptions {
  /** Renames columns and changes values, as postgres.js documents. */
  transform?: NonNullable<Options<Record<string, PostgresType>>['transform']>
  /** Types of your own, as postgres.js documents. */
  types?: Record<string, PostgresType>
  /** Called with every statement, as postgres.js documents. It sees the values of parameters. */
  debug?: NonNullable<Options<Record<string, PostgresType>>['debug']>
}

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
  return { createClient: (host) => createClient(host, options) }
}

/** Read by postgres.js and missing in its types. */
interface UntypedOptions {
  socket: () => DriverSocket
  no_subscribe: boolean
}

function createClient(host: DriverHost, options: PostgresDriverOptions): Sql {
  const settings: Options<Record<string, PostgresType>> & UntypedOptions = {
    ...options,
    host: host.host,
    port: host.port,
    user: host.user,
    database: host.database,
    // The front lets everybody in; the real password stays in the wire.
    pass: '',
    ssl: false,
    max: 1,
    prepare: false,
    fetch_types: false,
    // Deadlines are the wire's: these timers would outlive the request.
    connect_timeout: 0,
    idle_timeout: 0,
    max_lifetime: null,
    keep_alive: null,
    backoff: false,
    no_subscribe: true,
    onnotice: (notice) => {
      const { severity = 'NOTICE', code = '', message = '' } = notice
      host.notice({ severity, code, message })
    },
    socket: () => new DriverSocket((listener) => host.connect(listener)),
  }
  const sql = postgres(settings) as Sql
  registerArrayTypes(sql.options as unknown as TypeOptions)
  return Object.assign(sql, {
    reserve: reserveAfterLogin(sql),
    listen: () => Promise.reject(host.unsupported('sql.listen')),
    subscribe: () => Promise.reject(host.unsupported('sql.subscribe')),
  })
}

/**
 * Without the fetching of types, `reserve` as the first act never resolves (postgres#1203): an empty
 * statement, which the front answers itself, logs in before it.
 */
function reserveAfterLogin(sql: Sql): Sql['reserve'] {
  const reserve = sql.reserve
  return async () => {
    await sql.unsafe('')
    return reserve()
  }
}
