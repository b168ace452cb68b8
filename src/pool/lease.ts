import type { Guard, GuardMode } from '../guard/guard.ts'
import type { ClientUsage } from '../request-clients.ts'
import type { Session } from '../wire/session.ts'

/** What a connection of a pool is used for. */
export type WorkKind = 'query' | 'transaction' | 'batch' | 'reserve' | 'request'

/** One use of a connection, which nobody else has meanwhile. */
export class Lease {
  readonly kind: WorkKind
  /** Whether a statement has left something behind in the session, or may have. */
  needsReset = false
  /** What is lent, once it is. */
  session: Session | undefined
  /** Since when. */
  since = 0

  constructor(kind: WorkKind) {
    this.kind = kind
  }

  /** What is being done with it, in words without a text of the user's. */
  describe(now: number): string {
    const { session } = this
    const doing = !session
      ? 'connecting'
      : session.busy
        ? 'running a statement'
        : session.status === 'I'
          ? 'idle'
          : 'idle in a transaction'
    return `${NAMES[this.kind]} for ${now - this.since} ms, ${doing}`
  }
}

/** How errors speak of a pool. */
const WORDS = ['in a pool', " Or use sql.reserve(), a connection of one's own."] as const

/** How clients on a lease differ from those of a request. */
export function usageOf(lease: Lease, guard: GuardMode, refuse?: Guard): ClientUsage {
  const found = (): void => {
    lease.needsReset = true
  }
  return { guard, found, refuse, words: WORDS }
}

const NAMES: Record<WorkKind, string> = {
  query: 'a query',
  transaction: 'a transaction',
  batch: 'a batch',
  reserve: 'sql.reserve()',
  request: 'a request',
}
