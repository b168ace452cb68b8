import { chooseGuard } from '../connection-plan.ts'
import { modeOf, providerOf } from '../connection-target.ts'
import type { NullpoolError } from '../errors.ts'
import { createGuard, type GuardMode } from '../guard/guard.ts'
import { statementText } from '../wire/messages.ts'
import type { Address } from '../wire/transport.ts'
import { ClientMessages } from './client-messages.ts'
import { withoutHint } from './failures.ts'
import { refusedStatement } from './refused-statement.ts'
import type { Target } from './targets.ts'

/** The usual port of a transaction-mode pooler. */
const TRANSACTION_PORT = 6543

const FEATURE_NOT_SUPPORTED = '0A000'

const HINT =
  'Connect in session mode or to Postgres itself (port 5432) for this. Here, SET LOCAL, set_config(…, true), pg_advisory_xact_lock and CREATE TEMPORARY TABLE … ON COMMIT DROP last as long as their transaction. Whoever runs the gateway decides it, with guard of the target.'

/** What becomes of statements that need a session, in tunnels to an address. */
export function guardModeOf({ guard, pooler }: Target, { host, port }: Address): GuardMode {
  if (guard !== undefined) return guard
  const mode = modeOf(providerOf(host, port), port)
  const isUsualPort = mode === 'unknown' && pooler === 'auto' && port === TRANSACTION_PORT
  return isUsualPort ? 'throw' : chooseGuard(pooler, { mode })
}

/**
 * Reads what a client sends, and has the server refuse what needs a session. A guard against accidents: it
 * reads nothing inside of TLS, and no statement of more than a mebibyte.
 *
 * @param found - Told of each statement that needs a session.
 */
export function guardedMessages(
  mode: GuardMode,
  found: (error: NullpoolError) => void,
): ClientMessages | undefined {
  const guard = createGuard({ session: mode, claims: 'off', warn: found })
  if (!guard) return undefined
  return new ClientMessages((message) => {
    const error = guard(statementText(message))
    if (!error) return message
    found(error)
    return refusedStatement(message, {
      sqlState: FEATURE_NOT_SUPPORTED,
      message: withoutHint(error),
      detail: `${error.code} of nullpool/gateway`,
      hint: HINT,
    })
  })
}
