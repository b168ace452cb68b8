// A driver's and an owner's side of the wire, for tests that have a MemoryServer at the other end.

import type { NullpoolError } from '../../src/errors.ts'
import { Front } from '../../src/wire/front.ts'
import type { FrontListener, FrontOptions } from '../../src/wire/front-options.ts'
import { Meter } from '../../src/wire/meter.ts'
import { type Profile, universal } from '../../src/wire/profile.ts'
import type { Setting } from '../../src/wire/prologue.ts'
import type { TlsOptions } from '../../src/wire/transport.ts'
import { Upstream } from '../../src/wire/upstream.ts'
import type { UpstreamEvents, UpstreamOptions } from '../../src/wire/upstream-events.ts'
import { type MemoryPeer, MemoryServer } from './memory-server.ts'
import { authenticationOk, greeting } from './server-messages.ts'
import { FrameTracker, startupMessage } from './wire-messages.ts'

/** Writes what a test says and keeps what it hears. */
export class MemoryDriver implements FrontListener {
  readonly front: Front
  /** Tags of messages, with the status behind a `Z`; `error CODE`; `closed`. */
  readonly heard: string[] = []
  readonly errors: NullpoolError[] = []
  /** Every byte after the greeting. */
  bytes: Buffer = Buffer.alloc(0)
  /** Whether the front is in the middle of {@link write}; nothing may be heard then. */
  calledInsideOfWrite = false
  #writing = false
  #read = 0
  #tracker = new FrameTracker()
  #wake: (() => void) | undefined

  constructor(upstream: Upstream, settings: readonly Setting[] = [], options: FrontOptions = {}) {
    this.front = new Front(upstream, this, { ...options, settings })
  }

  /** Logs in, which happens without the server. */
  async start(): Promise<this> {
    this.write(startupMessage({ user: 'nobody', database: 'nothing' }))
    await this.until('ZI')
    this.bytes = Buffer.alloc(0)
    return this
  }

  write(...messages: readonly Uint8Array[]): void {
    this.#writing = true
    this.front.write(new Uint8Array(Buffer.concat(messages)))
    this.#writing = false
  }

  data(bytes: Uint8Array): void {
    this.bytes = Buffer.concat([this.bytes, bytes])
    let start = 0
    for (const { tag, end } of this.#tracker.push(bytes)) {
      const status = tag === 'Z' ? String.fromCharCode(bytes[end - 1] ?? 0) : ''
      this.#note(tag + status)
      start = end
    }
    // A front hands on whole messages; a driver does not need to know.
    if (start !== bytes.length) this.#note('fragment')
  }

  error(error: NullpoolError): void {
    this.errors.push(error)
    this.#note(`error ${error.code}`)
  }

  closed(): void {
    this.#note('closed')
  }

  /** What has been heard and not been asked for. */
  get unread(): string[] {
    return this.heard.slice(this.#read)
  }

  /** What is heard up to an entry that begins with `last`, that included. */
  async until(last: string): Promise<string[]> {
    for (;;) {
      const rest = this.unread
      const at = rest.findIndex((entry) => entry.startsWith(last))
      if (at >= 0) {
        this.#read += at + 1
        return rest.slice(0, at + 1)
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #note(entry: string): void {
    if (this.#writing) this.calledInsideOfWrite = true
    this.heard.push(entry)
    this.#wake?.()
  }
}

/** An upstream whose server is in memory, and what it told its owner. */
export interface MemoryWire {
  server: MemoryServer
  upstream: Upstream
  meter: Meter
  events: string[]
  /** A driver that has logged in at its front. */
  driver(options?: FrontOptions): Promise<MemoryDriver>
  /** Accepts the next connection and lets it in, before or without the greeting. */
  login(options?: { greet: boolean }): Promise<MemoryPeer>
}

export const PASSWORD = 'correct horse battery staple'

export function memoryWire({
  tls,
  profile = universal,
  port = 6543,
  ...overrides
}: Partial<UpstreamOptions> & {
  tls?: TlsOptions
  profile?: Profile
  port?: number
} = {}): MemoryWire {
  const server = new MemoryServer()
  const meter = new Meter()
  const events: string[] = []
  const options: UpstreamOptions = {
    route: { transport: server, address: { host: 'db.test', port }, tls, profile },
    credentials: {
      user: 'alice',
      database: 'shop',
      password: () => PASSWORD,
      applicationName: 'nullpool',
    },
    connectTimeoutMs: 1_000,
    connectRetries: 0,
    queryTimeoutMs: 3_000,
    closeTimeoutMs: 100,
    meter,
    ...overrides,
  }
  const upstream = new Upstream(options, record(events))
  return {
    server,
    upstream,
    meter,
    events,
    driver: (options) => new MemoryDriver(upstream, [], options).start(),
    async login({ greet } = { greet: true }) {
      const peer = await server.accept()
      await peer.expect('Startup')
      peer.send(authenticationOk)
      if (greet) peer.send(greeting)
      return peer
    },
  }
}

function record(events: string[]): UpstreamEvents {
  return {
    opening: () => void events.push('opening'),
    background: () => undefined,
    opened: () => void events.push('opened'),
    closed: (error) => void events.push(error ? `closed ${error.code}` : 'closed'),
    idle: () => void events.push('idle'),
    answered: ({ queries }) => void events.push(`answered ${queries}`),
  }
}
