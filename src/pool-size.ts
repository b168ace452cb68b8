import { NullpoolError } from './errors.ts'

/** What a database has, and who else takes of it. */
export interface PoolSizeOptions {
  /** `show max_connections`. */
  maxConnections: number
  /** Whether the Data API of the project (PostgREST, supabase-js) is in use, which has a pool of its own. @default true */
  dataApi?: boolean
  /**
   * `superuser_reserved_connections` and `reserved_connections`, which nobody else gets.
   * @default 3
   */
  reservedConnections?: number
  /** Instances of a server that stays, each with a pool of its own. @default 1 */
  instances?: number
  /** Connections of other pools, tools and services, at their most. @default 0 */
  otherConnections?: number
}

/** How large pools may be, and why. */
export interface PoolSizeAdvice {
  /** Connections of a pooler to the database, where everything goes through it: its pool size. */
  readonly poolSize: number
  /** The options of `createPool` in each instance, where these connect directly instead. */
  readonly stationary: { readonly poolSize: number; readonly maxOverflow: number }
  /** Whether that is less than what is there; otherwise it is the least that works. */
  readonly fits: boolean
  /** The arithmetic in sentences. */
  readonly reasons: readonly string[]
}

/** As Supabase advises. */
const PERCENT = { withDataApi: 40, alone: 80 } as const

/** As many as Postgres takes. */
const MOST = 262_143

const LEAST: Record<Exclude<keyof PoolSizeOptions, 'dataApi'>, number> = {
  maxConnections: 1,
  reservedConnections: 0,
  instances: 1,
  otherConnections: 0,
}

/**
 * Says how large a pool may be: 40 % of the connections beside the Data API, else up to 80 %, as Supabase
 * advises, and never what the server reserves or others take. Pure arithmetic: it asks no server.
 *
 * It bounds; it does not promise that so many are useful. Most databases do most work on few connections.
 *
 * @throws {NullpoolError} `ERR_OPTIONS` for what is not a whole number of connections.
 *
 * @see https://supabase.com/docs/guides/database/connection-management
 *
 * @example
 * ```ts
 * import { recommendPoolSize } from 'nullpool'
 *
 * const { poolSize, stationary } = recommendPoolSize({ maxConnections: 60, dataApi: true, instances: 2 })
 * poolSize // 24
 * stationary // { poolSize: 6, maxOverflow: 6 }
 * ```
 */
export function recommendPoolSize(options: PoolSizeOptions): PoolSizeAdvice {
  const { maxConnections, dataApi, reserved, instances, others } = read(options)
  const percent = dataApi ? PERCENT.withDataApi : PERCENT.alone
  const share = Math.floor((maxConnections * percent) / 100)
  const left = maxConnections - reserved - others
  const budget = Math.min(share, left)
  const each = Math.floor(budget / instances)
  const poolSize = Math.max(1, budget)
  const steady = Math.max(1, Math.floor(each / 2))
  const maxOverflow = Math.max(0, each - steady)
  const fits = each >= 1
  return {
    poolSize,
    stationary: { poolSize: steady, maxOverflow },
    fits,
    reasons: [
      `${percent} % of ${maxConnections} connections are ${share}${dataApi ? ': the Data API has a pool of its own' : ''}.`,
      `${maxConnections} less ${reserved} reserved and ${others} of others leave ${left < 1 ? 'none' : `${left}; the smaller number, ${budget}, is for this pool`}.`,
      `Shared by ${instances} ${instances === 1 ? 'instance, it has' : 'instances, each has'} ${each < 1 ? 'none' : `${each}: half of them stay open, so that old and new instances fit side by side during a deployment`}.`,
      ...(fits
        ? []
        : [
            'That is too little: one connection is the least. Put a pooler in front, or raise max_connections.',
          ]),
    ],
  }
}

function read(options: PoolSizeOptions): {
  maxConnections: number
  dataApi: boolean
  reserved: number
  instances: number
  others: number
} {
  for (const [name, value] of Object.entries(options)) check(name, value)
  if (options.maxConnections === undefined) throw refused('maxConnections', LEAST.maxConnections)
  return {
    maxConnections: options.maxConnections,
    dataApi: options.dataApi ?? true,
    reserved: options.reservedConnections ?? 3,
    instances: options.instances ?? 1,
    others: options.otherConnections ?? 0,
  }
}

function check(name: string, value: unknown): void {
  if (value === undefined) return
  if (name === 'dataApi') {
    if (typeof value !== 'boolean') throw wrong('The option dataApi takes true or false.')
    return
  }
  if (!Object.hasOwn(LEAST, name)) throw wrong(`There is no option ${name}.`)
  const least = LEAST[name as keyof typeof LEAST]
  const fits = Number.isInteger(value) && Number(value) >= least && Number(value) <= MOST
  if (!fits) throw refused(name, least)
}

function refused(name: string, least: number): NullpoolError {
  return wrong(`The option ${name} takes a whole number from ${least} to ${MOST}.`)
}

function wrong(words: string): NullpoolError {
  return new NullpoolError('ERR_OPTIONS', words)
}
