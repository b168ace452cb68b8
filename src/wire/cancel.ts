import { Deadline } from './deadline.ts'
import { Dial, type Route } from './dial.ts'
import { type BackendKey, cancelRequest } from './messages.ts'
import { Meter } from './meter.ts'

/**
 * A pooler may take a while to find a connection for the request (PgBouncer up to its
 * cancel_wait_timeout, 10 s), and leaving before it is done makes PgBouncer 1.18 end with
 * "bad client state": the pooler closes first, always.
 */
const CANCEL_TIMEOUT_MS = 15_000

/**
 * Asks the server, over a connection of its own, to stop a backend's statement. There is no answer: a
 * statement that was stopped ends with SQLSTATE 57014 on its own connection. Never rejects.
 *
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
 */
export async function requestCancel(route: Route, key: BackendKey): Promise<void> {
  const dial = new Dial()
  const deadline = new Deadline()
  deadline.start(CANCEL_TIMEOUT_MS, () => dial.giveUp())
  try {
    const connection = await dial.open(route, new Meter())
    await connection.write(cancelRequest(key))
    await connection.read()
  } catch {
    // Whether the statement was stopped shows on its own connection.
  } finally {
    deadline.stop()
    dial.giveUp()
  }
}
