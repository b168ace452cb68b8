import type { NullpoolError, NullpoolErrorCode } from '../errors.ts'
import { type Dial, dialWithin } from './dial.ts'
import { MessageReader } from './message-reader.ts'
import { HANDSHAKE_MESSAGE_LIMIT, MESSAGE_LIMIT } from './messages.ts'
import { Session } from './session.ts'
import type { SessionEvents, SessionOptions } from './session-events.ts'
import { transportFailure } from './transport-failure.ts'

/** How long a full pooler is left alone: at random, so that those who were refused do not come together. */
const RETRY_AFTER_MS = { least: 50, most: 250 } as const

const FULL: ReadonlySet<NullpoolErrorCode> = new Set(['ERR_POOLER_FULL', 'ERR_GATEWAY_LIMIT'])

/**
 * Connects and logs in, as far as needed for the first flight to leave. A pooler or a gateway that is full is asked
 * again, `connectRetries` times at the most and within the same `connectTimeoutMs`: no statement has been
 * sent by then. Everything else, a wrong password above all, is final.
 */
export async function openSession(
  dial: Dial,
  options: SessionOptions,
  events: SessionEvents,
): Promise<Session> {
  const startedAt = Date.now()
  for (let retries = 0; ; retries++) {
    try {
      return await openOnce(dial, options, events, startedAt)
    } catch (error) {
      const failure = transportFailure(error, options.route.address, false)
      const after = retryAfter(failure, retries, options, startedAt)
      if (after === undefined || dial.isGivenUp) {
        dial.giveUp()
        throw failure
      }
      dial.hangUp()
      await new Promise((resolve) => setTimeout(resolve, after))
    }
  }
}

async function openOnce(
  dial: Dial,
  options: SessionOptions,
  events: SessionEvents,
  startedAt: number,
): Promise<Session> {
  const { route, credentials, connectTimeoutMs, meter } = options
  const reader = new MessageReader(HANDSHAKE_MESSAGE_LIMIT)
  const left = Math.max(1, connectTimeoutMs - (Date.now() - startedAt))
  const loggingIn = dial.logIn(route, credentials, reader, meter)
  const limits = { leftMs: left, connectTimeoutMs }
  const { connection, login } = await dialWithin(dial, loggingIn, route, limits)
  reader.limit = MESSAGE_LIMIT
  const session = new Session(options, events, connection, reader, login)
  session.begin(startedAt)
  return session
}

function retryAfter(
  { code }: NullpoolError,
  retries: number,
  { connectRetries, connectTimeoutMs }: SessionOptions,
  startedAt: number,
): number | undefined {
  if (!FULL.has(code) || retries >= connectRetries) return undefined
  const { least, most } = RETRY_AFTER_MS
  const after = least + Math.random() * (most - least)
  return Date.now() - startedAt + after < connectTimeoutMs ? after : undefined
}
