import { type PoolSizeAdvice, type PoolSizeOptions, recommendPoolSize } from '../../pool-size.ts'
import { CommandFailure } from '../failure.ts'
import type { ConnectionGroup, ServerConnections } from './server-connections.ts'

/** What is known: flags go before what the server says. */
export interface PoolSizeRequest {
  maxConnections?: number | undefined
  reserved?: number | undefined
  /** Connections of others, at their most. */
  others?: number | undefined
  dataApi?: boolean | undefined
  instances: number
  /** What the server has, where it was asked, and the role whose pool is meant. */
  server?: { connections: ServerConnections; role: string } | undefined
}

/** The shape of `--json`. */
export interface PoolSizeAnswer {
  /** Connections of a pooler to the database. */
  poolSize: number
  /** The options of `createPool` in each instance of a server that stays. */
  stationary: { poolSize: number; maxOverflow: number }
  fits: boolean
  maxConnections: number
  reserved: number
  /** Of others. */
  others: number
  dataApi: boolean
  instances: number
  /** Who is connected, where the server was asked. */
  connections: ConnectionGroup[] | null
  /** Five sentences. */
  reasons: string[]
}

/** PostgREST, and the role that it logs in as on Supabase. */
const DATA_API = { role: 'authenticator', application: /^postgrest/i }
/** Poolers: what they hold is the pool whose size is asked for. */
const POOLERS = /^(supavisor|pgbouncer)/i

/**
 * Says how large pools may be, in numbers and in five lines.
 *
 * @throws {NullpoolError} `ERR_OPTIONS` for what is not a whole number of connections.
 */
export function advisePoolSize(request: PoolSizeRequest): PoolSizeAnswer {
  const { server, instances } = request
  const maxConnections = request.maxConnections ?? server?.connections.maxConnections
  if (maxConnections === undefined) {
    throw new CommandFailure('Give --max-connections, or a connection string to ask the server.')
  }
  const groups = server?.connections.groups ?? []
  const reserved = request.reserved ?? server?.connections.reserved ?? 3
  const others = request.others ?? countOthers(groups, server?.role)
  const dataApi = request.dataApi ?? (server === undefined || groups.some(isDataApi))
  const options: PoolSizeOptions = {
    ...{ maxConnections, dataApi, instances },
    ...{ reservedConnections: reserved, otherConnections: others },
  }
  const advice = recommendPoolSize(options)
  const { poolSize, stationary, fits } = advice
  return {
    ...{ poolSize, stationary: { ...stationary }, fits },
    ...{ maxConnections, reserved, others, dataApi, instances },
    connections: server === undefined ? null : groups,
    reasons: [present(request), ...advice.reasons.slice(0, 3), advice.reasons[3] ?? bound(advice)],
  }
}

function isDataApi({ role, application }: ConnectionGroup): boolean {
  return role === DATA_API.role || DATA_API.application.test(application)
}

/** Neither the pool itself, under the role that asks, nor the Data API, which has its share. */
function countOthers(groups: readonly ConnectionGroup[], own: string | undefined): number {
  return sum(groups.filter((group) => !isOwn(group, own) && !isDataApi(group)))
}

function isOwn({ role, application }: ConnectionGroup, own: string | undefined): boolean {
  return role === own || POOLERS.test(application)
}

function sum(groups: readonly ConnectionGroup[]): number {
  return groups.reduce((total, { count }) => total + count, 0)
}

function present({ server, others }: PoolSizeRequest): string {
  if (server === undefined) return 'The server was not asked: the numbers are those of the flags.'
  const { connections, role } = server
  const { groups } = connections
  const api = groups.filter(isDataApi)
  const own = groups.filter((group) => isOwn(group, role) && !isDataApi(group))
  const rest = sum(groups) - sum(api) - sum(own)
  const told = others === undefined ? '' : `, for which --other says ${others}`
  return `Beside this one ${sum(groups)} connections are open: ${sum(own)} of ${role} or a pooler, ${sum(api)} of the Data API, ${rest} of others${told}.`
}

function bound({ poolSize }: PoolSizeAdvice): string {
  return `That is the most, not the best: ${poolSize} connections that all work need as many cores and disks. Begin with less, and raise it while clients wait.`
}
