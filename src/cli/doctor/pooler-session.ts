import { ServerError } from '../../errors.ts'
import { Deadline } from '../../wire/deadline.ts'
import { Dial, dialWithin, type Route } from '../../wire/dial.ts'
import { Greeting } from '../../wire/greeting.ts'
import type { Credentials } from '../../wire/handshake.ts'
import { closedByServer, queryTimeout } from '../../wire/loss.ts'
import { MessageReader } from '../../wire/message-reader.ts'
import {
  Backend,
  type BackendKey,
  HANDSHAKE_MESSAGE_LIMIT,
  queryMessage,
  readCString,
  readErrorFields,
  readUint32,
  terminateMessage,
} from '../../wire/messages.ts'
import { Meter } from '../../wire/meter.ts'
import { endsConnection, serverFailure } from '../../wire/server-failure.ts'
import type { Connection } from '../../wire/transport.ts'
import { transportFailure } from '../../wire/transport-failure.ts'
import { readRow } from './rows.ts'
import { TlsFirst } from './tls-first.ts'

/** Nothing that is asked here has longer answers. */
const ANSWER_LIMIT = 4_194_304

/** How the server asked for the password, by the number in its AuthenticationRequest. */
const METHODS: Readonly<Record<number, string>> = {
  0: 'trust',
  3: 'password',
  5: 'md5',
  10: 'scram-sha-256',
}

/** Notes how the server wants to be convinced, and whether it speaks Postgres at all. */
class LoginReader extends MessageReader {
  method: string | undefined
  #heard = false

  override push(chunk: Uint8Array): void {
    if (!this.#heard) TlsFirst.throwIfAlert(chunk)
    this.#heard ||= chunk.length > 0
    super.push(chunk)
  }

  override next(): Uint8Array | undefined {
    const message = super.next()
    if (message?.[0] === Backend.authentication) {
      const type = readUint32(message, 5)
      this.method ??= METHODS[type] ?? `type ${type}`
    }
    return message
  }
}

/** What a server says behind a login. */
interface Greeted {
  parameters: ReadonlyMap<string, string>
  key: BackendKey | undefined
}

/**
 * One login of the wire's own, and raw messages on it: the doctor looks at what drivers hide, such as
 * the key of the backend and the parameters that the server tells.
 *
 * One exchange at a time. Every wait is bounded; one that lasts too long closes the connection.
 */
export class PoolerSession {
  /** How the password was asked for, for example `scram-sha-256`; `trust` where it was not. */
  readonly method: string
  /** What the server told of itself behind the login. */
  readonly parameters: ReadonlyMap<string, string>
  /** A server gives its own process, a pooler something of its own. */
  readonly key: BackendKey | undefined
  readonly #connection: Connection
  readonly #reader: MessageReader
  readonly #timeoutMs: number

  /** Takes a connection whose login is over; {@link PoolerSession.open} makes one. */
  constructor(connection: Connection, reader: LoginReader, greeted: Greeted, timeoutMs: number) {
    this.#connection = connection
    this.#reader = reader
    this.#timeoutMs = timeoutMs
    this.method = reader.method ?? 'unknown'
    this.parameters = greeted.parameters
    this.key = greeted.key
  }

  /**
   * Logs in once; nothing is tried again.
   *
   * @throws {NullpoolError} what the server said, or why nobody answered.
   */
  static async open(
    route: Route,
    credentials: Credentials,
    timeoutMs: number,
  ): Promise<PoolerSession> {
    const dial = new Dial()
    const work = logIn(dial, route, credentials, timeoutMs)
    try {
      const limits = { leftMs: timeoutMs, connectTimeoutMs: timeoutMs }
      return await dialWithin(dial, work, route, limits)
    } catch (error) {
      dial.giveUp()
      throw transportFailure(error, route.address, false)
    }
  }

  /** Runs a constant statement by the simple protocol; values are text. */
  async query(text: string): Promise<(string | null)[][]> {
    const answers = await this.exchange(queryMessage(text))
    const refusal = answers.find(([type]) => type === Backend.errorResponse)
    if (refusal) {
      const { severity, sqlState, message } = readErrorFields(refusal)
      throw new ServerError(severity, sqlState, message)
    }
    return answers.filter(([type]) => type === Backend.dataRow).map(readRow)
  }

  /** Sends messages in one write, and gives everything up to the next ReadyForQuery. */
  async exchange(messages: Uint8Array): Promise<Uint8Array[]> {
    const deadline = new Deadline()
    const expired = new Promise<never>((_, reject) => {
      deadline.start(this.#timeoutMs, () => {
        reject(queryTimeout(this.#timeoutMs))
        this.destroy()
      })
    })
    try {
      return await Promise.race([this.#exchange(messages), expired])
    } finally {
      deadline.stop()
    }
  }

  async #exchange(messages: Uint8Array): Promise<Uint8Array[]> {
    await this.#connection.write(messages)
    const answers: Uint8Array[] = []
    for (;;) {
      const message = await nextMessage(this.#connection, this.#reader)
      if (message[0] === Backend.errorResponse) {
        const fields = readErrorFields(message)
        if (endsConnection(fields)) throw serverFailure(fields, true)
      }
      answers.push(message)
      if (message[0] === Backend.readyForQuery) return answers
    }
  }

  /** Says goodbye. Never throws, and waits for nobody. */
  async close(): Promise<void> {
    try {
      await this.#connection.write(terminateMessage())
    } catch {}
    this.#connection.destroy()
  }

  /** Closes at once. Never throws. */
  destroy(): void {
    this.#connection.destroy()
  }
}

async function logIn(
  dial: Dial,
  route: Route,
  credentials: Credentials,
  timeoutMs: number,
): Promise<PoolerSession> {
  const reader = new LoginReader(HANDSHAKE_MESSAGE_LIMIT)
  const { connection, login } = await dial.logIn(route, credentials, reader, new Meter())
  const greeting = new Greeting(login)
  const parameters = new Map<string, string>()
  for (;;) {
    const message = await nextMessage(connection, reader)
    if (greeting.take(message)) {
      const name = readCString(message, 5)
      parameters.set(name, readCString(message, 6 + Buffer.byteLength(name)))
    }
    if (message[0] !== Backend.readyForQuery) continue
    reader.limit = ANSWER_LIMIT
    const greeted = { parameters, key: greeting.key }
    return new PoolerSession(connection, reader, greeted, timeoutMs)
  }
}

async function nextMessage(connection: Connection, reader: MessageReader): Promise<Uint8Array> {
  for (;;) {
    const message = reader.next()
    if (message) return message
    const chunk = await connection.read()
    if (!chunk) throw closedByServer(false)
    reader.push(chunk)
  }
}
