/**
 * The door to Postgres for runtimes without TCP: Neon's driver over HTTP and WebSockets, to any server.
 *
 * @module
 *
 * @example On Node
 * ```ts
 * import { serve, upgradeWebSocket } from '@hono/node-server'
 * import { createGateway, onlyWebSockets } from 'nullpool/gateway'
 * import { WebSocketServer } from 'ws'
 *
 * const gateway = createGateway({
 *   token: process.env.GATEWAY_TOKEN ?? '',
 *   targets: ['localhost:6543'],
 *   upgradeWebSocket,
 * })
 * const sockets = new WebSocketServer({ noServer: true })
 * onlyWebSockets(serve({ fetch: gateway.fetch, websocket: { server: sockets } }))
 * ```
 */
export { createGateway } from './create-gateway.ts'
export type { GatewayEvent, GatewayPath } from './events.ts'
export { onlyWebSockets, type UpgradingServer } from './only-websockets.ts'
export type { GatewayOptions } from './options.ts'
export type { GatewayTarget } from './targets.ts'
