import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { WebSocket } from 'ws'
import { RUNTIMES, type RunningGateway, TOKEN } from '../support/gateway-bed.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'
import { WireClient } from '../support/wire-client.ts'
import { query, terminate } from '../support/wire-messages.ts'

const { postgres } = inject('servers')

/** TCP on this side, a tunnel on the other, whose end of the client's bytes is a goodbye. */
async function startShim({ host }: RunningGateway): Promise<Server> {
  const url = `ws://${host}/v1?address=${postgres.host}:${postgres.port}&token=${TOKEN}`
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.pause()
    const tunnel = new WebSocket(url)
    tunnel.on('open', () => socket.resume())
    tunnel.on('message', (bytes: Buffer) => socket.write(bytes))
    tunnel.on('close', () => socket.destroy())
    socket.on('data', (bytes) => tunnel.send(bytes))
    socket.on('end', () => tunnel.close(1000))
    socket.on('error', () => undefined)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

describe.each(RUNTIMES)('a goodbye to a server that is busy, on %s', (_name, start) => {
  let bed: TestDatabase
  let gateway: RunningGateway
  let shim: Server
  beforeAll(async () => {
    bed = await createTestDatabase()
    gateway = await start({ targets: [`${postgres.host}:${postgres.port}`] })
    shim = await startShim(gateway)
  })
  afterAll(async () => {
    shim?.close()
    await gateway?.[Symbol.asyncDispose]()
    await bed?.[Symbol.asyncDispose]()
  })

  it.each([
    ['sleeps', "select pg_sleep(2), repeat('x', 100000)"],
    ['says more than may wait', "select pg_sleep(2), repeat('x', 20000000)"],
  ])('lets it do what was sent before, where it %s', async (_what, first) => {
    await bed.sql`drop table if exists sent`
    await bed.sql`create table sent (id int)`
    const { port } = shim.address() as { port: number }
    const client = await WireClient.connect({ host: '127.0.0.1', port })
    await client.login({ user: postgres.user, password: postgres.password, database: bed.name })
    // The second is too long to be read by the server together with the first.
    const second = `insert into sent values (1) /* ${'x'.repeat(200_000)} */`
    client.send(query(first), query(second), terminate)
    client.end()
    const sent = async (): Promise<number> => (await bed.sql`select id from sent`).length
    await expect.poll(sent, { timeout: 15_000 }).toBe(1)
    client.destroy()
    if (gateway.runtime === 'workerd') return
    await expect.poll(() => gateway.events.at(-1)).toMatchObject({ type: 'close', status: 1000 })
  })
})
