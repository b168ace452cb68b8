import CliTable from 'cli-table3'
import { duration } from './cell-texts.ts'
import { bold, dim, red, yellow } from './colours.ts'
import type { ConnectionsSnapshot, SourceReport, Warning } from './snapshot.ts'

/** A snapshot as tables, for `--once` and for pipes. */
export function renderSnapshot(snapshot: ConnectionsSnapshot): string {
  const parts = [
    summary(snapshot),
    connectionsTable(snapshot),
    poolsTable(snapshot),
    clientsTable(snapshot),
    idleTable(snapshot),
    snapshot.warnings.map(warningLines).join('\n'),
    snapshot.sources.flatMap(sourceLine).join('\n'),
  ]
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

function summary({ server, takenAt }: ConnectionsSnapshot): string {
  if (server === null) return dim(takenAt)
  const { usedConnections, maxConnections, reservedConnections } = server
  const percent = Math.round((usedConnections / maxConnections) * 100)
  const room = `40 % is ${server.dataApiLimit}, 80 % is ${server.highestLimit}, ${reservedConnections} are reserved`
  return `${bold(`${usedConnections} of ${maxConnections} connections (${percent} %)`)}  ${dim(`${room}; Postgres ${server.version}; ${takenAt}`)}`
}

type Cell = string | number

function table(head: string[], rows: Cell[][]): string {
  if (rows.length === 0) return ''
  const numbers = rows[0]?.map((cell) => typeof cell === 'number') ?? []
  const drawn = new CliTable({
    head,
    style: { head: [], border: [], compact: true },
    colAligns: numbers.map((isNumber) => (isNumber ? 'right' : 'left')),
  })
  drawn.push(...rows)
  return drawn.toString()
}

function connectionsTable({ connections }: ConnectionsSnapshot): string {
  return table(
    ['connections', 'route', 'role', 'application', 'database', 'state', 'oldest transaction'],
    connections.map((group) => [
      group.connections,
      group.route,
      group.role,
      group.application,
      group.database,
      group.state,
      duration(group.oldestTransactionSeconds),
    ]),
  )
}

function poolsTable({ pools }: ConnectionsSnapshot): string {
  return table(
    ['pool', 'role', 'mode', 'clients', 'waiting', 'longest wait', 'servers', 'idle', 'size'],
    pools.map((pool) => [
      `${pool.pooler}: ${pool.database}`,
      pool.role,
      pool.mode,
      pool.clientsActive,
      pool.clientsWaiting,
      duration(pool.longestWaitSeconds),
      pool.serversActive,
      pool.serversIdle,
      pool.poolSize ?? '',
    ]),
  )
}

function clientsTable({ clients }: ConnectionsSnapshot): string {
  return table(
    ['clients of the pooler', 'role', 'application', 'database', 'state'],
    clients.map(({ clients: count, role, application, database, state }) => [
      count,
      role,
      application,
      database,
      state,
    ]),
  )
}

function idleTable({ idleTransactions }: ConnectionsSnapshot): string {
  return table(
    ['idle in transaction', 'pid', 'route', 'role', 'application', 'database', 'last statement'],
    idleTransactions.map((each) => [
      duration(each.idleSeconds),
      each.pid,
      each.route,
      each.role,
      each.application,
      each.database,
      each.query ?? dim('(--queries)'),
    ]),
  )
}

function warningLines({ message, fix }: Warning): string {
  return `${yellow('warning')} ${message}\n        ${dim(fix)}`
}

function sourceLine({ name, state, problem }: SourceReport): string[] {
  return state === 'failed' ? [`${red('failed')}  ${name}: ${problem}`] : []
}
