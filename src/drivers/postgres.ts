import postgres, { type Notice, type Options, type PostgresType, type Sql } from 'postgres'
import { NullpoolError } from '../errors.ts'
import { registerArrayTypes, type TypeOptions } from './array-types.ts'
import type { Driver, DriverHost } from './driver.ts'
import { DriverSocket } from './driver-socket.ts'
import { eachQuery } from './each-query.ts'
import { mendQuery } from './mend-query.ts'
import { Outstanding } from './outstanding.ts'
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
  let settled: SettledOptions | undefined
  return {
    createClient(host) {
      settled ??= settle(options)
      return createClient(host, settled)
    },
  }
}

/** What postgres.js makes of its options, and takes as it is from then on: most of the work of a client. */
type SettledOptions = TypeOptions & { connection: unknown }

function createClient(host: DriverHost, settled: SettledOptions): Sql {
  if (host.connections) return postgres(optionsFor(host, settled, [])) as Sql
  return connect(host, settled, {
    reserve: reserveApart(() => connect(host, settled)),
    listen: () => Promise.reject(host.unsupported('sql.listen')),
    subscribe: () => Promise.reject(host.unsupported('sql.subscribe')),
  })
}

function connect(host: DriverHost, settled: SettledOptions, own: Partial<Sql> = {}): Sql {
  const sockets: DriverSocket[] = []
  const outstanding = new Outstanding()
  const failure = (): unknown => sockets.find((socket) => socket.failed)?.failure()
  const released = (): void => outstanding.reject(failure)
  const sql = postgres(optionsFor(host, settled, sockets, released)) as Sql
  const failing = (): boolean => sockets.some((socket) => socket.failing)
  const checksValues = settled.transform.undefined === undefined
  const health = { failing, failure, outstanding, checksValues }
  const mend = (made: unknown): void => mendQuery(made, sql.CLOSE, health)
  const reserve = sql.reserve
  const loggedIn = logIn(sql)
  const mended = {
    reserve: () => loggedIn.then(async () => eachQuery(await reserve(), mend, outstanding)),
  }
  return eachQuery(Object.assign(sql, mended, own), mend, outstanding)
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

/** Nobody has asked for the statement without text. */
function quietLogin(debug: PostgresDriverOptions['debug']): Pick<PostgresDriverOptions, 'debug'> {
  if (typeof debug !== 'function') return {}
  return { debug: (id, text, ...rest) => (text === '' ? undefined : debug(id, text, ...rest)) }
}

function settle(options: PostgresDriverOptions): SettledOptions {
  const settled = readOptions(options) as unknown as SettledOptions
  // The front lets everybody in and is the only server; the real password stays in the wire.
  Object.assign(settled, { pass: '', target_session_attrs: undefined })
  registerArrayTypes(settled)
  return settled
}

/** Whatever is not said here, postgres.js reads from `PGSSLNEGOTIATION`, `PGMAX_PIPELINE` and the like. */
const NOT_FROM_THE_ENVIRONMENT = {
  ...{ host: 'localhost', port: 5432, user: 'nobody', database: 'nothing', pass: 'none' },
  ...{ ssl: false, sslnegotiation: null, target_session_attrs: 'read-write' },
  ...{ max: 1, max_pipeline: 100, prepare: false, fetch_types: false, publications: 'alltables' },
  debug: false,
  // Deadlines are the wire's: these timers would outlive the request.
  ...{ connect_timeout: 0, idle_timeout: 0, max_lifetime: null, keep_alive: null, backoff: false },
} as const

function readOptions(options: PostgresDriverOptions): Sql['options'] {
  const all: unknown = { ...NOT_FROM_THE_ENVIRONMENT, ...options, ...quietLogin(options.debug) }
  try {
    return (postgres(all as Options<Record<string, PostgresType>>) as Sql).options
  } catch (error) {
    throw unreadable(error)
  }
}

/** What is left is `PGAPPNAME`, from which nothing can keep postgres.js. */
function unreadable(error: unknown): unknown {
  const isRefused = error instanceof Error && /^(NotCapable|PermissionDenied)$/.test(error.name)
  if (!isRefused) return error
  return new NullpoolError('ERR_RUNTIME_UNSUPPORTED', 'postgres.js may not read PGAPPNAME.', {
    cause: error,
    hint: 'Allow Deno this variable, which need not exist: --allow-env=PGAPPNAME.',
  })
}

/** Of its own a client has what it may change, and whatever belongs to its request. */
function optionsFor(
  host: DriverHost,
  settled: SettledOptions,
  sockets: DriverSocket[],
  released: () => void = () => undefined,
): Options<Record<string, PostgresType>> {
  const { user, database } = host
  const own = {
    ...{ host: [host.host], port: [host.port], user, database, max: host.connections ?? 1 },
    // Replication has a client of its own, even where nobody subscribes.
    no_subscribe: true,
    parsers: Object.create(settled.parsers),
    serializers: Object.create(settled.serializers),
    shared: { ...settled.shared },
    parameters: {},
    onnotice({ severity = 'NOTICE', code = '', message = '' }: Notice) {
      host.notice({ severity, code, message })
    },
    socket() {
      const socket = new DriverSocket((listener) => host.connect(listener), released)
      sockets.push(socket)
      return socket
    },
  }
  const all: unknown = { ...settled, ...own }
  return all as Options<Record<string, PostgresType>>
}
