import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { createDatabase, webSocketTransport } from 'nullpool'
import type { GatewayEvent } from 'nullpool/gateway'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { startNodeGateway, TOKEN } from '../support/gateway-bed.ts'

const { postgres } = inject('servers')

describe('what only the gateway’s operator can change', () => {
  let withoutTls: Server
  beforeAll(async () => {
    withoutTls = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => socket.end('N'))
    }).listen(0, '127.0.0.1')
    await once(withoutTls, 'listening')
  })
  afterAll(() => withoutTls?.close())

  const cases = [
    ['ERR_TLS_UNTRUSTED', () => postgres.port, 'tls: { ca }'],
    ['ERR_TLS_REFUSED', () => (withoutTls.address() as AddressInfo).port, "tls to 'disable'"],
  ] as const

  it.each(cases)(
    'is no advice for a client of /sql, but for the events: %s',
    async (code, port, words) => {
      const target = `127.0.0.1:${port()}`
      await using gateway = await startNodeGateway({
        targets: [{ address: target, tls: 'verify' }],
      })
      const response = await fetch(`http://${gateway.host}/sql`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${TOKEN}`,
          'neon-connection-string': `postgres://user:hidden-password@${target}/db`,
        },
        body: JSON.stringify({ query: 'select 1' }),
      })
      expect(response.status).toBe(502)
      const text = await response.text()
      expect(JSON.parse(text)).toMatchObject({ code, hint: toldToClients })
      expect(text).not.toContain(words)
      expect(adviceIn(gateway.events)).toEqual([expect.stringContaining(words)])
      expect(JSON.stringify(gateway.events)).not.toContain('hidden-password')
    },
  )

  it.each(cases)(
    'is no advice for a client of a tunnel, but for the events: %s',
    async (code, port, words) => {
      const target = `127.0.0.1:${port()}`
      await using gateway = await startNodeGateway({
        targets: [{ address: target, tls: 'verify' }],
      })
      const transport = webSocketTransport({ url: `ws://${gateway.host}/v2`, token: TOKEN })
      const database = createDatabase({ url: `postgres://user:secret@${target}/db`, transport })
      await expect(database.run({}, ({ sql }) => sql`select 1`)).rejects.toMatchObject({
        code,
        hint: toldToClients,
      })
      expect(adviceIn(gateway.events)).toEqual([expect.stringContaining(words)])
    },
  )

  it('is nothing that a client can correct by itself', async () => {
    await using gateway = await startNodeGateway({ targets: ['127.0.0.1:1'] })
    const response = await fetch(`http://${gateway.host}/sql`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${TOKEN}`,
        'neon-connection-string': 'postgres://user:secret@127.0.0.1:1/db',
      },
      body: JSON.stringify({ query: 'select 1' }),
    })
    expect(await response.json()).toMatchObject({
      hint: expect.stringContaining('Check host and port'),
    })
    expect(adviceIn(gateway.events)).toEqual([])
  })
})

const toldToClients = expect.stringMatching(/^Whoever runs the gateway can change that/)

/** What the events say that there is to do. */
function adviceIn(events: readonly GatewayEvent[]): string[] {
  return events.flatMap((event) => ('hint' in event ? [String(event.hint)] : []))
}
