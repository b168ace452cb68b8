import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { CommandLine, runCommand } from '../support/command-line.ts'
import { look } from '../support/connections-look.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { postgres: server } = inject('servers')

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())

describe('nullpool connections with the metrics of Supabase', () => {
  // A model of the endpoint: what it is asked is checked, and what it answers has the form of its text.
  const key = 'sb_secret_of_no_use'
  async function withMetrics(
    work: (environment: Record<string, string>, asked: string[]) => Promise<void>,
    status = 200,
  ): Promise<void> {
    const text = await readFile(new URL('../support/supabase-metrics.txt', import.meta.url), 'utf8')
    const asked: string[] = []
    const endpoint = createServer((request, response) => {
      asked.push(request.headers.authorization ?? '')
      response.writeHead(status).end(text)
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => endpoint.once('listening', resolve))
    const { port } = endpoint.address() as AddressInfo
    const address = `http://127.0.0.1:${port}/customer/v1/privileged/metrics`
    try {
      await work({ SUPABASE_METRICS_URL: address, SUPABASE_SECRET_KEY: key }, asked)
    } finally {
      endpoint.close()
    }
  }

  it('shows the server, its roles and both poolers', async () => {
    await withMetrics(async (environment, asked) => {
      const snapshot = await look([], environment)
      expect(asked).toEqual([`Basic ${Buffer.from(`service_role:${key}`).toString('base64')}`])
      expect(snapshot.server).toMatchObject({
        maxConnections: 60,
        usedConnections: 19,
        dataApiLimit: 24,
      })
      expect(snapshot.connections).toContainEqual(
        expect.objectContaining({ role: 'authenticator', connections: 8 }),
      )
      expect(snapshot.pools).toMatchObject([
        { pooler: 'pgbouncer', clientsActive: 3, clientsWaiting: 1, serversActive: 2 },
        { pooler: 'supavisor', mode: 'transaction', clientsActive: 12 },
      ])
      expect(JSON.stringify(snapshot)).not.toContain(key)
    })
  })

  it('asks for it once, however often it looks, and never again with a key that is refused', async () => {
    await withMetrics(async (environment, asked) => {
      await using command = new CommandLine(
        ['connections', '--json', '--watch', '0.2'],
        environment,
      )
      await command.until(({ stdout }) => stdout.split('\n').length > 3)
      expect(asked).toHaveLength(1)
    })
    await withMetrics(async (environment, asked) => {
      const parameters = ['connections', database.url(server), '--json', '--watch', '0.2']
      await using command = new CommandLine(parameters, environment)
      await command.until(({ stdout }) => stdout.split('\n').length > 3)
      expect(asked).toHaveLength(1)
      expect(command.printed.stdout).toContain('SUPABASE_SECRET_KEY is the secret key')
      expect(command.printed.stdout).not.toContain(key)
    }, 401)
  })

  it('sends the key to nobody in clear', async () => {
    const { stderr, exitCode } = await runCommand(['connections'], {
      SUPABASE_METRICS_URL: 'http://metrics.example/',
      SUPABASE_SECRET_KEY: key,
    })
    expect(exitCode).toBe(2)
    expect(stderr).toMatch(/SUPABASE_METRICS_URL is a https:/)
  })
})
