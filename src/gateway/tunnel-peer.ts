import type { WSContext } from 'hono/ws'

/** The client's end of a tunnel: a WebSocket, as far as a runtime can do it. */
export interface TunnelPeer {
  send(bytes: Uint8Array): void
  /** Says goodbye; what was sent before leaves first. */
  close(status: number, reason: string): void
  /** Hangs up without it. */
  destroy(): void
  /** Bytes that were sent and have not left yet; 0 where the runtime does not tell (Workers). */
  readonly bufferedBytes: number
  /** Stops the client, or lets it go on. False where the runtime cannot (Workers). */
  pause(on: boolean): boolean
}

/** What the sockets of some runtimes can do: `ws` on Node all of it, Workers nothing. */
interface RawSocket {
  bufferedAmount?: number
  pause?(): void
  resume?(): void
  terminate?(): void
}

/** Makes one of what Hono's helpers give. */
export function tunnelPeer(ws: WSContext): TunnelPeer {
  const raw = (ws.raw ?? {}) as RawSocket
  return {
    send(bytes) {
      if (ws.readyState === 1) ws.send(bytes as Uint8Array<ArrayBuffer>)
    },
    close(status, reason) {
      if (ws.readyState > 1) return
      try {
        ws.close(status, reason)
      } catch {
        // Sockets of browsers, and of Deno, take 1000 and from 3000 on alone.
        ws.close(3000, reason)
      }
    },
    destroy() {
      if (raw.terminate) raw.terminate()
      else this.close(1011, '')
    },
    get bufferedBytes() {
      return raw.bufferedAmount ?? 0
    },
    pause(on) {
      if (!raw.pause || !raw.resume) return false
      if (on) raw.pause()
      else raw.resume()
      return true
    },
  }
}
