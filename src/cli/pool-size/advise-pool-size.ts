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
    reasons: [
      present(request, others),
      ...advice.reasons.slice(0, 3),
      advice.reasons[3] ?? bound(advice),
    ],
  }
}

function isDataApi({ role, application }: ConnectionGroup): boolean {
  return role === DATA_API.role || DATA_API.application.test(application)
}

/** Neither the pool itself, under the role that asks, nor the Data API, which has its share. */
function countOthers(groups: readonly ConnectionGroup[], own: string | undefined): number {
  return groups
    .filter((group) => group.role !== own && !POOLERS.test(group.application) && !isDataApi(group))
    .reduce((sum, { count }) => sum + count, 0)
}

function present({ server, others: given, dataApi }: PoolSizeRequest, others: number): string {
  if (server === undefined) return 'The server was not asked: the numbers are those of the flags.'
  const total = server.connections.groups.reduce((sum, { count }) => sum + count, 0)
  const counted = given === undefined ? `${others} of them are taken for others’` : 'others as told'
  const seen = server.connections.groups.some(isDataApi)
  const api = dataApi === undefined ? `, the Data API is ${seen ? '' : 'not '}among them` : ''
  return `${total} connections are open now; ${counted}${api}.`
}

function bound({ poolSize }: PoolSizeAdvice): string {
  return `That is the most, not the best: ${poolSize} connections that all work need as many cores and disks. Begin with less, and raise it while clients wait.`
}
