import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { Conditions } from './conditions.ts'

/** One connection of a {@link TcpServer}. */
export interface TcpConnection {
  readonly socket: Socket
  received: number
  /** Of everything that was received. */
  readonly hash: ReturnType<typeof createHash>
  /** Whether the other side has said that nothing more comes. */
  ended: boolean
  /** Whether it then ends its own side too, as servers do. */
  endsToo: boolean
  /** Whether the socket is gone, and whether by a reset. */
  closed: 'no' | 'yes' | 'reset'
}

/** A server that takes bytes and knows who is connected. */
export class TcpServer implements AsyncDisposable {
  readonly connections: TcpConnection[] = []
  readonly #conditions = new Conditions(this.connections)
  readonly #server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket))

  static async start(): Promise<TcpServer> {
    const server = new TcpServer()
    server.#server.listen(0, '127.0.0.1')
    await once(server.#server, 'listening')
    return server
  }

  /** `host:port`. */
  get address(): string {
    const address = this.#server.address()
    if (typeof address !== 'object' || !address) throw new Error('It does not listen.')
    return `127.0.0.1:${address.port}`
  }

  /** Sockets that are open now. */
  get open(): number {
    return this.connections.filter(({ closed }) => closed === 'no').length
  }

  /** The last connection, once it fits. */
  async until(predicate: (last: TcpConnection) => boolean): Promise<TcpConnection> {
    const last = (): TcpConnection | undefined => this.connections.at(-1)
    await this.#conditions.until(() => {
      const connection = last()
      return connection !== undefined && predicate(connection)
    })
    return last() as TcpConnection
  }

  /** Resolves when nobody is connected. */
  untilEmpty(): Promise<void> {
    return this.#conditions.until(() => this.open === 0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.connections) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(socket: Socket): void {
    const hash = createHash('sha256')
    const connection: TcpConnection = {
      ...{ socket, received: 0, hash },
      ...{ ended: false, endsToo: true, closed: 'no' },
    }
    this.connections.push(connection)
    socket.on('data', (chunk: Buffer) => {
      connection.received += chunk.length
      hash.update(chunk)
      this.#conditions.changed()
    })
    socket.on('end', () => {
      connection.ended = true
      if (connection.endsToo) socket.end()
      this.#conditions.changed()
    })
    socket.on('error', () => {
      connection.closed = 'reset'
    })
    socket.on('close', () => {
      if (connection.closed === 'no') connection.closed = 'yes'
      this.#conditions.changed()
    })
    this.#conditions.changed()
  }
}
