import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { hostname } from 'node:os'
import { webSocketTransport } from 'nullpool'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { RUNTIMES, type RunningGateway, startNodeGateway, TOKEN } from '../support/gateway-bed.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { postgres } = inject('servers')

async function ask(gateway: RunningGateway, url: string): Promise<unknown> {
  const response = await fetch(`http://${gateway.host}/sql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}`, 'neon-connection-string': url },
    body: JSON.stringify({ query: 'select 1 as one' }),
  })
  return response.json()
}

describe.each(RUNTIMES)('a host of /sql on %s', (_name, start) => {
  let bed: TestDatabase
  let gateway: RunningGateway
  beforeAll(async () => {
    bed = await createTestDatabase()
    gateway = await start({ targets: [`127.0.0.1:${postgres.port}`] })
  })
  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]()
    await bed?.[Symbol.asyncDispose]()
  })

  it.each(['2130706433', '127.1', '0x7f.1', '127.0.0.1.'])(
    'is reached as 127.0.0.1 is, in clear, where it is written %s',
    async (host) => {
      const url = bed.url({ host, port: postgres.port })
      expect(await ask(gateway, url)).toMatchObject({ rows: [{ one: 1 }] })
    },
  )
})

describe('a gateway behind another one, on Node', () => {
  it('asks it for names, and for no TLS inside of the WebSocket', async () => {
    await using bed = await createTestDatabase()
    // Postgres under this machine's own name, which leads to an address of its own.
    const server = createServer((socket) => {
      const other = connect(postgres.port, postgres.host)
      socket.on('error', () => other.destroy()).pipe(other)
      other.on('error', () => socket.destroy()).pipe(socket)
    }).listen(0, '0.0.0.0')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const host = hostname().toLowerCase()
    const address = `${host}:${port}`
    await using inner = await startNodeGateway({
      targets: [{ address, tls: 'disable', privateAddresses: true }],
    })
    const transport = webSocketTransport({ url: `ws://${inner.host}/v2`, token: TOKEN })
    await using outer = await startNodeGateway({ targets: [address], transport })
    expect(await ask(outer, bed.url({ host, port }))).toMatchObject({ rows: [{ one: 1 }] })
    expect(inner.events).toContainEqual(expect.objectContaining({ type: 'open', target: address }))
    server.close()
  })
})
