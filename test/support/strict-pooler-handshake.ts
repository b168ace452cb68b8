import type { SecureContext } from 'node:tls'
import { type ScramSecret, ScramServer } from './scram-server.ts'
import type { Pool } from './strict-pooler-backend.ts'
import type { Settings } from './strict-pooler-options.ts'
import type { ClientSocket } from './strict-pooler-socket.ts'
import { decodeStartup, MAX_STARTUP_BYTES, poolerErrors } from './strict-pooler-startup.ts'
import { message, sslRequest } from './wire-messages.ts'

/** What a handshake needs of the pooler around it. */
export interface PoolerOfHandshakes {
  readonly settings: Settings
  readonly secureContext: SecureContext | undefined
  authFailures: number
  secret(role: string): ScramSecret | undefined
  pool(role: string, database: string): Pool
}

/** What a handshake tells its client. */
export interface HandshakeEvents {
  violation(text: string): void
  timedOut(): void
}

/** How the client goes on after a delivery. */
export type Outcome = 'more' | 'accepted' | 'closed'

/** SSLRequest, start-up and SCRAM: sv:client_handler.ex:125-402 and 590-640. */
export class Handshake {
  pool: Pool | undefined
  readonly #pooler: PoolerOfHandshakes
  readonly #socket: ClientSocket
  readonly #events: HandshakeEvents
  #state: 'handshake' | 'scram-first' | 'scram-final' = 'handshake'
  #role = ''
  #scram: ScramServer | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(pooler: PoolerOfHandshakes, socket: ClientSocket, events: HandshakeEvents) {
    this.#pooler = pooler
    this.#socket = socket
    this.#events = events
  }

  /** True while a failure counts as one of authentication. */
  get isAuthenticating(): boolean {
    return this.#state !== 'handshake'
  }

  /** Takes one delivery for one message, whatever it is. Throws what the client is told. */
  step(bytes: Buffer): Outcome | Promise<Outcome> {
    if (this.isAuthenticating) return this.#authenticate(bytes)
    // A cheap way to ask which pooler this is (125-134).
    if (bytes.toString('latin1', 0, 3) === 'GET') {
      this.#socket.send(Buffer.from('HTTP/1.1 204 OK\r\nx-app-version: model\r\n\r\n'))
      return 'closed'
    }
    // Exactly these eight bytes, and only in clear (149-154).
    if (!this.#socket.isTls && bytes.equals(sslRequest)) return this.#answerSslRequest()
    this.#checkLength('start-up', bytes, bytes.length < 4 ? -1 : bytes.readUInt32BE(0))
    if (bytes.length > MAX_STARTUP_BYTES) throw poolerErrors.startupTooLarge(bytes.length)
    return this.#hello(bytes)
  }

  /** Stops the clock. */
  end(): void {
    clearTimeout(this.#timer)
  }

  /** `Manager.check_client_limit`, before authentication and once more after it. */
  checkClientLimit(pool: Pool): void {
    const { maxClients } = this.#pooler.settings
    if (pool.clients >= maxClients) throw poolerErrors.maxClients(maxClients)
  }

  #answerSslRequest(): Outcome | Promise<Outcome> {
    const { secureContext } = this.#pooler
    if (secureContext !== undefined) return this.#startTls(secureContext)
    this.#socket.send(Buffer.from('N'))
    return 'more'
  }

  async #startTls(secureContext: SecureContext): Promise<Outcome> {
    const early = await this.#socket.startTls(secureContext)
    if (early > 0) this.#events.violation(`${early} bytes lost before the answer to SSLRequest`)
    return 'more'
  }

  #hello(bytes: Buffer): Outcome {
    const { settings } = this.#pooler
    const { role, tenant, database } = decodeStartup(bytes)
    if (tenant === undefined) throw poolerErrors.noIdentifier()
    if (tenant !== settings.tenant) throw poolerErrors.notFound(role, tenant)
    if (settings.requireTls && !this.#socket.isTls) throw poolerErrors.tlsRequired(role)
    this.#role = role
    this.pool = this.#pooler.pool(role, database ?? settings.backend.database)
    this.checkClientLimit(this.pool)
    if (this.#pooler.authFailures >= settings.maxAuthFailures) throw poolerErrors.circuitBreaker()
    // @scram_request (sv:protocol/server.ex:15): this mechanism and no other.
    this.#request(10, 'SCRAM-SHA-256\0\0')
    return this.#await('scram-first')
  }

  #await(state: 'scram-first' | 'scram-final'): Outcome {
    this.#state = state
    this.end()
    const { authTimeoutMs } = this.#pooler.settings
    this.#timer = setTimeout(() => this.#events.timedOut(), authTimeoutMs)
    return 'more'
  }

  /** One delivery is one message, and `{:ok, pkt, _}` forgets the rest (sv:client_handler/auth_methods/scram.ex:153-171). */
  #authenticate(bytes: Buffer): Outcome {
    const length = bytes.length < 5 ? -1 : bytes.readUInt32BE(1) + 1
    this.#checkLength('authentication', bytes, length)
    if (length < 5 || length > bytes.length || bytes[0] !== 0x70) throw poolerErrors.authProtocol()
    const payload = bytes.subarray(5, length)
    const secret = this.#pooler.secret(this.#role)
    if (secret === undefined) throw poolerErrors.unknownRole()
    this.#scram ??= new ScramServer(secret)
    const isFirst = this.#state === 'scram-first'
    const answer = isFirst ? this.#scram.first(payload) : this.#scram.final(payload)
    if ('failure' in answer) return this.#refuse(answer.failure)
    this.#request(isFirst ? 11 : 12, answer.message)
    if (isFirst) return this.#await('scram-final')
    this.end()
    this.#request(0, '')
    return 'accepted'
  }

  #refuse(failure: 'protocol' | 'password' | 'crash'): Outcome {
    if (failure === 'password') throw poolerErrors.wrongPassword(this.#role)
    if (failure === 'protocol') throw poolerErrors.authProtocol()
    this.#events.violation('an authentication message that Supavisor has no clause for')
    return 'closed'
  }

  #request(code: number, data: string): void {
    this.#socket.send(message('R', Buffer.from([0, 0, 0, code]), Buffer.from(data)))
  }

  #checkLength(what: string, bytes: Buffer, declared: number): void {
    if (bytes.length === declared) return
    const isGlued = bytes.length > declared && declared > 0
    const fault = isGlued ? `${bytes.length - declared} of them glued on` : 'incomplete'
    this.#events.violation(`${what} delivery of ${bytes.length} bytes, ${fault}`)
  }
}
