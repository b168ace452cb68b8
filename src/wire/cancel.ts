import { Deadline } from './deadline.ts'
import { Dial, type Route } from './dial.ts'
import { type BackendKey, cancelRequest } from './messages.ts'
import { Meter } from './meter.ts'

/**
 * Asks the server, over a connection of its own, to stop a backend's statement. There is no answer: a
 * statement that was stopped ends with SQLSTATE 57014 on its own connection. Never rejects.
 *
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
 */
export async function requestCancel(
  route: Route,
  key: BackendKey,
  timeoutMs: number,
): Promise<void> {
  const dial = new Dial()
  const deadline = new Deadline()
  deadline.start(timeoutMs, () => dial.giveUp())
  try {
    const connection = await dial.open(route, new Meter())
    await connection.write(cancelRequest(key))
    // A pooler drops a request whose sender has left; it closes when it has passed it on.
    await connection.read()
  } catch {
    // Whether the statement was stopped shows on its own connection.
  } finally {
    deadline.stop()
    dial.giveUp()
  }
}
