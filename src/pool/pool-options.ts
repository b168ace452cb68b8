import { NullpoolError } from '../errors.ts'
import { type DatabaseOptions, resolveOptions, type Settings } from '../options.ts'

/** What a pool takes: the options of `createDatabase`, and its own. */
export interface PoolOptions extends Omit<DatabaseOptions, 'connect' | 'hyperdriveCaching'> {
  /** Connections that stay open once they were needed. @default 5 */
  poolSize?: number
  /** Connections beyond these, each closed when nobody waits for it any more. @default 10 */
  maxOverflow?: number
  /** How long work waits for a connection, in milliseconds. @default 30000 */
  acquireTimeoutMs?: number
  /**
   * A connection that was idle for so many milliseconds is asked whether it is still there before it is used,
   * at the price of a round trip; `0` asks every time, `false` never. What the server closes while it is idle
   * is noticed without. @default 10000
   */
  pingAfterIdleMs?: number | false
  /**
   * Age at which a connection is replaced, before or after a use and never in it, in milliseconds; up to a
   * tenth earlier at random. @default 1800000
   */
  maxLifetimeMs?: number
  /** Closes connections that nobody has used for so long, in milliseconds. @default never */
  idleTimeoutMs?: number
  /** How long `close()` waits for what is under way, in milliseconds. @default 10000 */
  drainTimeoutMs?: number
  /**
   * Whether statements are prepared by name on each connection, which saves the server parsing and planning
   * and never a round trip. `true` also behind a pooler that is known to follow names: PgBouncer from 1.21
   * on with `max_prepared_statements`, or any in session mode.
   * @default 'auto': on direct and session-mode connections
   */
  prepare?: boolean | 'auto'
  /** Statements that keep a name on one connection at a time. @default 250 */
  statementCacheSize?: number
  /**
   * `DISCARD ALL` between two uses: `'auto'` where a statement of the first has left something in the session,
   * and after every `sql.reserve()`; `'always'` also finds what functions leave there, for a round trip that
   * nobody waits for unless all connections are in use; `'off'` never. @default 'auto'
   */
  reset?: 'auto' | 'always' | 'off'
}

/** The options with their defaults. */
export interface PoolSettings {
  database: Settings
  poolSize: number
  maxOverflow: number
  acquireTimeoutMs: number
  pingAfterIdleMs: number | false
  maxLifetimeMs: number
  idleTimeoutMs: number | undefined
  drainTimeoutMs: number
  prepare: boolean | 'auto'
  statementCacheSize: number
  reset: 'auto' | 'always' | 'off'
}

/** As many connections as nobody's Postgres takes. */
const MOST_CONNECTIONS = 10_000
const LONGEST_MS = 2_147_483_647

type Own = Omit<PoolSettings, 'database'>
type Check = { fits: (value: unknown) => boolean; takes: string }

const duration: Check = {
  fits: (value) => isWhole(value, 1, LONGEST_MS),
  takes: `milliseconds, from 1 to ${LONGEST_MS}`,
}

const OWN: Record<keyof Own, Check> = {
  poolSize: whole(1, MOST_CONNECTIONS),
  maxOverflow: whole(0, MOST_CONNECTIONS),
  acquireTimeoutMs: duration,
  pingAfterIdleMs: {
    fits: (value) => value === false || isWhole(value, 0, LONGEST_MS),
    takes: `false, or milliseconds from 0 to ${LONGEST_MS}`,
  },
  maxLifetimeMs: duration,
  idleTimeoutMs: duration,
  drainTimeoutMs: duration,
  prepare: {
    fits: (value) => typeof value === 'boolean' || value === 'auto',
    takes: "true, false or 'auto'",
  },
  statementCacheSize: whole(1, MOST_CONNECTIONS),
  reset: {
    fits: (value) => value === 'auto' || value === 'always' || value === 'off',
    takes: "'auto', 'always' or 'off'",
  },
}

/** Options of a request's connection that a pool has no use for. */
const NOT_HERE = ['connect', 'hyperdriveCaching']

/** @throws {NullpoolError} `ERR_OPTIONS`. */
export function readPoolOptions(options: PoolOptions): PoolSettings {
  const database: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(options)) {
    if (NOT_HERE.includes(name)) throw refused(`A pool has no option ${name}.`)
    if (!Object.hasOwn(OWN, name)) database[name] = value
    else check(name as keyof Own, value)
  }
  return {
    database: resolveOptions(database),
    poolSize: options.poolSize ?? 5,
    maxOverflow: options.maxOverflow ?? 10,
    acquireTimeoutMs: options.acquireTimeoutMs ?? 30_000,
    pingAfterIdleMs: options.pingAfterIdleMs ?? 10_000,
    maxLifetimeMs: options.maxLifetimeMs ?? 1_800_000,
    idleTimeoutMs: options.idleTimeoutMs,
    drainTimeoutMs: options.drainTimeoutMs ?? 10_000,
    prepare: options.prepare ?? 'auto',
    statementCacheSize: options.statementCacheSize ?? 250,
    reset: options.reset ?? 'auto',
  }
}

function check(name: keyof Own, value: unknown): void {
  const { fits, takes } = OWN[name]
  if (value !== undefined && !fits(value)) throw refused(`The option ${name} takes ${takes}.`)
}

function whole(least: number, most: number): Check {
  return {
    fits: (value) => isWhole(value, least, most),
    takes: `a whole number from ${least} to ${most}`,
  }
}

function isWhole(value: unknown, least: number, most: number): boolean {
  return Number.isInteger(value) && Number(value) >= least && Number(value) <= most
}

function refused(words: string): NullpoolError {
  return new NullpoolError('ERR_OPTIONS', words)
}
