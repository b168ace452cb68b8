import { connect } from 'node:tls'
import { Agent, buildConnector, getGlobalDispatcher, setGlobalDispatcher } from 'undici'

/**
 * Has Node's own WebSocket trust a root, and lead every `wss:` name to one server of this machine, which
 * presents itself as `localhost`: what a resolver and the public authorities do elsewhere.
 *
 * @returns what undoes it.
 */
export function trustWebSockets(ca: string, port: () => number): () => void {
  const before = getGlobalDispatcher()
  const inClear = buildConnector({})
  setGlobalDispatcher(
    new Agent({
      connect(options, done) {
        if (options.protocol !== 'https:') return inClear(options, done)
        const socket = connect({ host: '127.0.0.1', port: port(), servername: 'localhost', ca })
        socket.once('secureConnect', () => done(null, socket))
        socket.once('error', (error) => done(error, null))
      },
    }),
  )
  return () => setGlobalDispatcher(before)
}
