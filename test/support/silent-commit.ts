import type { CountingProxy } from './counting-proxy.ts'

/** A server that says nothing from a COMMIT on. */
export interface SilentCommit {
  /** Resolves once COMMIT is on its way. */
  sent: Promise<void>
  /** Lets the server speak again. */
  end(): void
}

/** From the next COMMIT on, the server behind `proxy` says nothing; until `end`. */
export function silenceBehindCommit(proxy: CountingProxy): SilentCommit {
  let sent = false
  const remove = proxy.inject({
    when({ direction, bytes }) {
      sent ||= direction === 'up' && Buffer.from(bytes).includes('commit')
      return sent && direction === 'down' ? 'stall' : undefined
    },
  })
  const end = (): void => {
    remove()
    proxy.resume()
  }
  return { sent: proxy.until(() => sent), end }
}
