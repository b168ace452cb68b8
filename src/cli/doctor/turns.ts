import type { PoolerSession } from './pooler-session.ts'

/** How connections share backends, and by what it was seen. */
export interface Turns {
  mode: 'transaction' | 'session' | 'direct' | 'unknown'
  evidence: string
  /** Who had which backend, in order. */
  pids: { connection: 'first' | 'second'; pid: string }[]
}

/** A pooler with round-robin may hand out every backend of a pool before one comes again. */
const ROUNDS = 8

/**
 * Tells transaction from session mode by who gets which backend, while transactions of two connections
 * interleave: a backend that serves both, or a connection that changes its backend, is transaction mode.
 *
 * In session mode neither ever happens. In transaction mode the second connection opens its transaction on
 * what the first has just given back, and the first, asked meanwhile, has to move.
 */
export async function takeTurns(first: PoolerSession, second: PoolerSession): Promise<Turns> {
  const pids: Turns['pids'] = []
  const seen = { first: new Set<string>(), second: new Set<string>() }
  const note = async (connection: 'first' | 'second', session: PoolerSession): Promise<void> => {
    const [row] = await session.query('select pg_backend_pid()')
    const pid = row?.[0] ?? ''
    pids.push({ connection, pid })
    seen[connection].add(pid)
  }
  for (let round = 0; round < ROUNDS; round++) {
    // The roles change, so that a pooler which favours one order shows it in the other.
    const [holder, other] =
      round % 2 === 0 ? (['second', 'first'] as const) : (['first', 'second'] as const)
    const sessions = { first, second }
    await note(other, sessions[other])
    await sessions[holder].query('begin')
    await note(holder, sessions[holder])
    if (evidenceOf(seen) === undefined) await note(other, sessions[other])
    await sessions[holder].query('rollback')
    const evidence = evidenceOf(seen)
    if (evidence !== undefined) return { mode: 'transaction', evidence, pids }
  }
  const transactions = pids.length
  const [mine, its] = [[...seen.first].join(), [...seen.second].join()]
  const evidence = `${transactions} interleaved transactions of two connections stayed on backends ${mine} and ${its}`
  return { mode: 'session', evidence, pids }
}

function evidenceOf(seen: { first: Set<string>; second: Set<string> }): string | undefined {
  const shared = [...seen.first].find((pid) => seen.second.has(pid))
  if (shared !== undefined) return `backend ${shared} served two connections in turn`
  const moved = [seen.first, seen.second].find(({ size }) => size > 1)
  return moved && `one connection was served by backends ${[...moved].join(' and ')}`
}
