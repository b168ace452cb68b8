import { type Examination, found } from './examination.ts'
import type { Note, Outcome } from './report.ts'
import {
  type Connections,
  readConnections,
  readExtensions,
  readServer,
  readTimeouts,
  type ServerFacts,
} from './server-facts.ts'

/** From here on a burst of requests finds no connection. */
const NEARLY_FULL = 0.8

/** Version, limits and who uses them, time limits of the role, extensions. Reads catalogues alone. */
export async function server(examination: Examination): Promise<Outcome> {
  const session = found(examination.session)
  const facts = await readServer(session)
  const connections = await readConnections(session)
  const timeouts = await readTimeouts(session)
  const extensions = await readExtensions(session)
  const usable = facts.maxConnections - facts.reservedConnections
  return {
    summary: `Postgres ${facts.version}: ${connections.used} of ${usable} connections are used, statement_timeout is ${facts.statementTimeout}.`,
    notes: [...fullness(connections, usable), ...recovery(facts), ...noTimeout(facts)],
    data: { ...facts, usableConnections: usable, connections, timeouts, extensions },
  }
}

function fullness({ used, by }: Connections, usable: number): Note[] {
  if (used < usable * NEARLY_FULL) return []
  const [most] = by
  const who = most
    ? ` Most belong to ${most.user} (${most.application || 'no application name'}): ${most.count}.`
    : ''
  return [
    {
      level: 'warning',
      code: 'connections-nearly-full',
      message: `${used} of ${usable} connections of the database are used.${who}`,
      fix: 'Lower the pool sizes, so that all poolers together stay under 80 % of max_connections (40 % beside the Data API), or take a larger database.',
    },
  ]
}

function recovery({ inRecovery }: ServerFacts): Note[] {
  if (!inRecovery) return []
  return [
    {
      level: 'info',
      code: 'read-only-replica',
      message: 'This server is a replica: it takes no writes.',
      fix: 'Use the primary’s string where there are writes.',
    },
  ]
}

function noTimeout({ role, statementTimeout }: ServerFacts): Note[] {
  if (statementTimeout !== '0') return []
  return [
    {
      level: 'info',
      code: 'no-statement-timeout',
      message: `Statements of ${role} have no time limit: one that hangs keeps a pooled connection.`,
      fix: `Set one for the role: alter role "${role}" set statement_timeout = '10s';`,
    },
  ]
}
