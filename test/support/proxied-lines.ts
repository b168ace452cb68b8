import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import {
  type CountingProxy,
  type CountingProxyOptions,
  startCountingProxy,
} from './counting-proxy.ts'

/** The two ends of one connection through the proxy. */
export interface Line {
  client: Socket
  server: Socket
}

/** A counting proxy between plain sockets that a test holds both ends of. */
export class ProxiedLines {
  readonly proxy: CountingProxy
  readonly #listener: Server
  readonly #ends: Socket[] = []

  private constructor(proxy: CountingProxy, listener: Server) {
    this.proxy = proxy
    this.#listener = listener
  }

  static async start(options: Partial<CountingProxyOptions> = {}): Promise<ProxiedLines> {
    const listener = createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const { port } = listener.address() as AddressInfo
    const target = { host: '127.0.0.1', port }
    return new ProxiedLines(await startCountingProxy({ target, ...options }), listener)
  }

  /** Connects to the proxy, whatever becomes of it. */
  dial(): Socket {
    const { host, port } = this.proxy
    const client = connect({ host, port, allowHalfOpen: true, noDelay: true })
    this.#keep(client)
    return client
  }

  async open(): Promise<Line> {
    const accepted = once(this.#listener, 'connection')
    const client = this.dial()
    const [server] = (await accepted) as [Socket]
    this.#keep(server)
    return { client, server }
  }

  async stop(): Promise<void> {
    for (const socket of this.#ends) socket.destroy()
    this.#listener.close()
    await this.proxy.stop()
  }

  #keep(socket: Socket): void {
    // A reset is part of many tests; the ones that look for it listen themselves.
    socket.on('error', () => {})
    this.#ends.push(socket)
  }
}

/** Reads as many bytes as asked for; returns the events in which they came. */
export async function read(socket: Socket, length: number): Promise<string[]> {
  const chunks: string[] = []
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    chunks.push(String(chunk))
    if (chunks.join('').length >= length) break
  }
  return chunks
}

/** One end speaks and the other one hears it. */
export async function say(from: Socket, to: Socket, text: string): Promise<void> {
  from.write(text)
  const heard = (await read(to, text.length)).join('')
  if (heard !== text) throw new Error(`Said ${text.length} bytes, heard others: ${heard}`)
}

/** `end` or the error's code, whichever comes first. */
export function ending(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.on('end', () => resolve('end'))
    socket.on('error', (error) => resolve('code' in error ? String(error.code) : error.message))
    socket.resume()
  })
}
