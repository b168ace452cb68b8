// Where a connection in memory breaks: after a byte of the server, at a write of the client, at an answer.

import type { MemoryPeer } from './memory-server.ts'

/** A connection that is about to be harmed. */
export interface Cuttable {
  peer: MemoryPeer
  /** How much has been said so far; by whom depends on the harm. */
  said: { bytes: number; writes: number }
  /** Closes the client. */
  close(): void
}

export type Cut = (cuttable: Cuttable) => void

/** Lets so many bytes of the server through, then closes. */
export const afterBytes =
  (limit: number): Cut =>
  ({ peer, said }) => {
    const send = peer.send.bind(peer)
    peer.send = (...messages) => {
      const bytes = Buffer.concat(messages)
      send(bytes.subarray(0, Math.max(0, limit - said.bytes)))
      said.bytes += bytes.length
      if (said.bytes >= limit) peer.finish()
    }
  }

/** Breaks the client's n-th write: the server never sees it. */
export const atWrite =
  (limit: number): Cut =>
  ({ peer, said }) => {
    peer.onWrite = async () => {
      said.writes += 1
      if (said.writes < limit) return
      peer.finish(new Error('ECONNRESET'))
      throw new Error('EPIPE')
    }
  }

/** Closes the wire at the server's n-th answer. */
export const closeAt =
  (limit: number): Cut =>
  ({ close, peer, said }) => {
    const send = peer.send.bind(peer)
    peer.send = (...messages) => {
      send(...messages)
      said.writes += 1
      if (said.writes === limit) close()
    }
  }
