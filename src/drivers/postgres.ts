import postgres, { type Options, type PostgresType, type Sql } from 'postgres'
import { registerArrayTypes, type TypeOptions } from './array-types.ts'
import type { Driver, DriverHost } from './driver.ts'
import { DriverSocket } from './driver-socket.ts'
import { eachQuery } from './each-query.ts'
import { mendQuery } from './mend-query.ts'
import { reserveApart } from './reserve.ts'

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
  return connect(host, options, {
    reserve: reserveApart(() => connect(host, options)),
    listen: () => Promise.reject(host.unsupported('sql.listen')),
    subscribe: () => Promise.reject(host.unsupported('sql.subscribe')),
  })
}

function connect(host: DriverHost, options: PostgresDriverOptions, own: Partial<Sql> = {}): Sql {
  const sockets: DriverSocket[] = []
  const sql = postgres(settingsFor(host, options, sockets)) as Sql
  registerArrayTypes(sql.options as unknown as TypeOptions)
  const failing = (): boolean => sockets.some((socket) => socket.failing)
  const mend = (made: unknown): void => mendQuery(made, sql.CLOSE, failing)
  const reserve = sql.reserve
  const loggedIn = logIn(sql)
  const mended = { reserve: () => loggedIn.then(async () => eachQuery(await reserve(), mend)) }
  return eachQuery(Object.assign(sql, mended, own), mend)
}

/**
 * Has a statement without text, which the front answers itself, come first. What postgres.js connects
 * for must be neither a reservation nor cancelled: both would keep all others waiting (postgres#1203).
 */
async function logIn(sql: Sql): Promise<void> {
  try {
    await sql.unsafe('')
  } catch {
    // Whatever is wrong is told to those who come next.
  }
}

/** Nobody has asked for the statement without text. */
function quietLogin(debug: PostgresDriverOptions['debug']): Pick<PostgresDriverOptions, 'debug'> {
  if (typeof debug !== 'function') return {}
  return { debug: (id, text, ...rest) => (text === '' ? undefined : debug(id, text, ...rest)) }
}

function settingsFor(
  host: DriverHost,
  options: PostgresDriverOptions,
  sockets: DriverSocket[],
): Options<Record<string, PostgresType>> & UntypedOptions {
  return {
    ...options,
    ...quietLogin(options.debug),
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
    socket() {
      const socket = new DriverSocket((listener) => host.connect(listener))
      sockets.push(socket)
      return socket
    },
  }
}
