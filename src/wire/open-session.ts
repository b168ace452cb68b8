import { type Dial, dialWithin } from './dial.ts'
import { HANDSHAKE_MESSAGE_LIMIT, MESSAGE_LIMIT, MessageReader } from './messages.ts'
import { Session } from './session.ts'
import type { SessionEvents, SessionOptions } from './session-events.ts'
import { transportFailure } from './transport-failure.ts'

/** Connects and logs in, as far as needed for the first flight to leave. */
export async function openSession(
  dial: Dial,
  options: SessionOptions,
  events: SessionEvents,
): Promise<Session> {
  const { route, credentials, connectTimeoutMs, meter } = options
  const startedAt = Date.now()
  const reader = new MessageReader(HANDSHAKE_MESSAGE_LIMIT)
  try {
    const loggingIn = dial.logIn(route, credentials, reader, meter)
    const { connection, login } = await dialWithin(dial, loggingIn, route, connectTimeoutMs)
    reader.limit = MESSAGE_LIMIT
    const session = new Session(options, events, connection, reader, login)
    session.begin(startedAt)
    return session
  } catch (error) {
    dial.giveUp()
    throw transportFailure(error, route.address, false)
  }
}
