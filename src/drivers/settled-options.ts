import postgres, { type Notice, type Options, type PostgresType, type Sql } from 'postgres'
import { NullpoolError } from '../errors.ts'
import { registerArrayTypes, type TypeOptions } from './array-types.ts'
import type { Driver, DriverHost } from './driver.ts'
import { DriverSocket } from './driver-socket.ts'
import type { PostgresDriverOptions } from './postgres-driver-options.ts'

/** What postgres.js makes of its options, and takes as it is from then on: most of the work of a client. */
export type SettledOptions = TypeOptions & { connection: unknown }

/** The options of each driver, for those who make clients of other kinds. */
export const settledOptions: WeakMap<Driver, () => SettledOptions> = new WeakMap()

/** Nobody has asked for the statement without text. */
function quietLogin(debug: PostgresDriverOptions['debug']): Pick<PostgresDriverOptions, 'debug'> {
  if (typeof debug !== 'function') return {}
  return { debug: (id, text, ...rest) => (text === '' ? undefined : debug(id, text, ...rest)) }
}

/** The options of the driver, once for all its clients. */
export function settle(options: PostgresDriverOptions): SettledOptions {
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
export function optionsFor(
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
