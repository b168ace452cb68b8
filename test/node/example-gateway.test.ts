import { neon, neonConfig } from '@neondatabase/serverless'
import { describe, expect, inject, it } from 'vitest'
import { TOKEN } from '../support/gateway-bed.ts'
import { runWorker } from '../support/run-worker.ts'
import { StartedGateway } from '../support/started-gateway.ts'
import { TcpServer } from '../support/tcp-server.ts'
import { createTestDatabase } from '../support/test-database.ts'
import { pattern, TunnelClient } from '../support/tunnel-client.ts'

const { postgres } = inject('servers')

const MB = 1_000_000

describe('the example of a gateway', () => {
  it('answers as a Worker', { timeout: 60_000 }, async () => {
    await using bed = await createTestDatabase()
    await using worker = await runWorker('examples/gateway/src/index.ts', {
      GATEWAY_TOKEN: TOKEN,
      GATEWAY_TARGETS: `db.example.com:5432, ${postgres.host}:${postgres.port}`,
    })
    neonConfig.fetchEndpoint = worker.at('/sql').href
    const sql = neon(bed.url(postgres), { authToken: TOKEN })
    expect(await sql`select ${1}::int as one`).toEqual([{ one: 1 }])
  })

  it('answers on Node, logs no secret, and goes away', { timeout: 60_000 }, async () => {
    await using bed = await createTestDatabase()
    await using gateway = new StartedGateway({
      GATEWAY_TOKEN: TOKEN,
      GATEWAY_TARGETS: `${postgres.host}:${postgres.port}`,
    })
    await gateway.ready()
    neonConfig.fetchEndpoint = `http://${gateway.host}/sql`
    const sql = neon(bed.url(postgres), { authToken: TOKEN })
    expect(await sql`select ${'a-private-value'} as value`).toEqual([{ value: 'a-private-value' }])
    await expect(sql`selekt`).rejects.toMatchObject({ code: '42601' })
    gateway.interrupt()
    expect(await gateway.exitCode).toBe(0)
    const log = gateway.lines.join('\n')
    expect(log).toContain('"type":"query"')
    expect(log).toContain('"code":"42601"')
    for (const secret of [TOKEN, postgres.password, 'a-private-value', 'selekt']) {
      expect(log).not.toContain(secret)
    }
  })

  it('does not start without a token', async () => {
    await using gateway = new StartedGateway({ GATEWAY_TARGETS: 'localhost:5432' })
    await expect(gateway.ready()).rejects.toThrow(/openssl rand -hex 32/)
    expect(await gateway.exitCode).toBe(1)
  })

  it('carries 100 MB each way in memory that does not grow', { timeout: 180_000 }, async () => {
    await using server = await TcpServer.start()
    await using gateway = new StartedGateway({
      GATEWAY_TOKEN: TOKEN,
      GATEWAY_TARGETS: server.address,
    })
    await gateway.ready()
    const client = await new TunnelClient(gateway, `/v1?address=${server.address}`).open()
    const { socket } = await server.until(({ closed }) => closed === 'no')
    const { bytes } = pattern(MB)
    const measured: number[] = []
    for (let sent = 1; sent <= 100; sent++) {
      socket.write(bytes)
      await client.send(bytes)
      if (sent % 10 !== 0) continue
      await server.until(({ received }) => received === sent * MB)
      await client.until(({ received }) => received === sent * MB)
      measured.push(await gateway.memoryKb())
    }
    // The first tenth brings the buffers that the rest goes through.
    const [first = 0, ...rest] = measured
    expect(Math.max(...rest) - first).toBeLessThan(64_000)
    client.socket.close()
    await server.untilEmpty()
    await client.untilClosed()
  })
})
