import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type PostgresServer, startPostgres } from '../../src/cli/postgres-server.ts'
import { type Places, roundTripTables } from '../support/round-trip-table.ts'
import { readTls, StrictPoolerBed } from '../support/strict-pooler-bed.ts'

const { pgbouncer, postgres, ca } = inject('servers')

describe.skipIf(!pgbouncer)('docs/round-trips.md', () => {
  let bed: StrictPoolerBed
  let trusting: PostgresServer
  beforeAll(async () => {
    bed = await StrictPoolerBed.create()
    trusting = await startPostgres({ authMethod: 'trust' })
  })
  afterAll(async () => {
    await trusting.stop()
    await bed[Symbol.asyncDispose]()
  })

  it('holds what the proxy counts now', async () => {
    const strict = await bed.start({ tls: await readTls() })
    const { user, password, database } = bed.backend
    const login = { user, password, database }
    const places: Places = {
      postgres: { ...login, host: postgres.host, port: postgres.port },
      pgbouncer: { ...login, host: pgbouncer?.host ?? '', port: pgbouncer?.port ?? 0 },
      strict: { ...login, ...bed.login(strict), host: strict.host, port: strict.port },
      trusting: { ...login, database: 'postgres', host: trusting.host, port: trusting.port },
      ca,
    }
    const text = await readFile('docs/round-trips.md', 'utf8')
    expect(text.slice(text.indexOf('## In clear'))).toBe(await roundTripTables(places))
    expect(strict.stats.violations).toEqual([])
  })
})
