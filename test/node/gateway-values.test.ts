import { neon, neonConfig } from '@neondatabase/serverless'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { RUNTIMES, type RunningGateway, TOKEN } from '../support/gateway-bed.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { postgres } = inject('servers')

describe.each(RUNTIMES)('values through the gateway on %s', (_name, start) => {
  let bed: TestDatabase
  let gateway: RunningGateway
  beforeAll(async () => {
    bed = await createTestDatabase()
    gateway = await start({ targets: [`${postgres.host}:${postgres.port}`] })
    neonConfig.fetchEndpoint = `http://${gateway.host}/sql`
  })
  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]()
    await bed?.[Symbol.asyncDispose]()
  })

  it('takes as many as the protocol does', { timeout: 30_000 }, async () => {
    const sql = neon(bed.url(postgres), { authToken: TOKEN })
    const places = Array.from({ length: 65_535 }, (_, at) => `$${at + 1}`)
    const text = `select cardinality(array[${places}]::text[]) as count`
    expect(await sql.query(text, places)).toEqual([{ count: 65_535 }])
  })

  it('gives columns of the system the numbers that pg gives them', async () => {
    await bed.sql`create table t (id int)`
    const sql = neon(bed.url(postgres), { authToken: TOKEN, fullResults: true })
    const client = new pg.Client({ connectionString: bed.url(postgres) })
    await client.connect()
    const text = 'select ctid, xmin, id from t'
    const wanted = numbersOf(await client.query(text))
    await client.end()
    expect(wanted).toEqual([-1, -2, 1])
    expect(numbersOf(await sql.query(text))).toEqual(wanted)
  })
})

function numbersOf(result: unknown): number[] {
  return (result as { fields: { columnID: number }[] }).fields.map(({ columnID }) => columnID)
}
