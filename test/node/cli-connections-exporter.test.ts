import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { readPrometheusText, type Sample } from '../../src/cli/connections/prometheus-text.ts'
import { CommandLine, runCommand } from '../support/command-line.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres: server } = inject('servers')

describe.skipIf(!pgbouncer)('nullpool connections --prometheus', () => {
  const at = pgbouncer ?? { host: '', port: 0, adminUrl: '' }
  let database: TestDatabase
  let command: CommandLine
  let shop: postgres.Sql
  let address: string
  let text: string
  let samples: Sample[]
  beforeAll(async () => {
    database = await createTestDatabase()
    shop = postgres(database.url(at), {
      max: 3,
      prepare: false,
      connection: { application_name: 'a "shop"\\' },
    })
    await Promise.all([1, 2, 3].map(() => shop`select pg_sleep(0.2)`))
    command = new CommandLine(
      ['connections', database.url(at), '--prometheus', ':0', '--watch', '0.3'],
      { PGBOUNCER_ADMIN_URL: at.adminUrl },
    )
    const line = /The metrics are on (http:\/\/127\.0\.0\.1:\d+\/metrics)/
    await command.until(({ stderr }) => line.test(stderr))
    address = line.exec(command.printed.stderr)?.[1] ?? ''
    const response = await fetch(address)
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    text = await response.text()
    samples = readPrometheusText(text)
  })
  afterAll(async () => {
    await command?.[Symbol.asyncDispose]()
    await shop?.end()
    await database?.[Symbol.asyncDispose]()
  })

  it('tells in the text format what the snapshot tells', () => {
    const find = (name: string, labels: Record<string, string> = {}): Sample | undefined =>
      samples.find(
        (sample) =>
          sample.name === name &&
          Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
      )
    expect(find('nullpool_max_connections')?.value).toBe(300)
    expect(find('nullpool_source_up', { source: 'postgres' })?.value).toBe(1)
    expect(find('nullpool_source_up', { source: 'supabase' })).toBeUndefined()
    expect(
      find('nullpool_connections', { application: 'a "shop"\\', state: 'idle' })?.labels,
    ).toMatchObject({ route: 'pooled', role: server.user, database: database.name })
    const pool = { database: database.name, state: 'active', mode: 'transaction' }
    expect(find('nullpool_pool_clients', pool)?.value).toBe(4)
    expect(find('nullpool_pool_size', { database: database.name })?.value).toBe(10)
    expect(find('nullpool_warning', { code: 'clients-growing' })?.value).toBe(0)
    expect(find('nullpool_transactions_total')?.value).toBeGreaterThan(0)
    expect(text).toContain('# TYPE nullpool_transactions_total counter')
    expect(text).not.toContain(server.password)
    expect(text).not.toContain(new URL(at.adminUrl).password)
  })

  it('goes on with the time', async () => {
    const moment = (samplesThen: Sample[]): number | undefined =>
      samplesThen.find(({ name }) => name === 'nullpool_snapshot_timestamp_seconds')?.value
    const later = async (): Promise<number | undefined> =>
      moment(readPrometheusText(await (await fetch(address)).text()))
    await expect.poll(later).toBeGreaterThan(moment(samples) ?? Number.NaN)
  })

  it('refuses a port that somebody has', async () => {
    const { port } = new URL(address)
    const parameters = ['connections', database.url(server), '--prometheus', port]
    const { stderr, exitCode } = await runCommand(parameters)
    expect(exitCode).toBe(2)
    expect(stderr).toMatch(/Cannot listen on 127\.0\.0\.1:\d+ \(EADDRINUSE\)/)
  })
})
