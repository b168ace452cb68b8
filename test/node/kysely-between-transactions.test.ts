import { createDatabase } from 'nullpool'
import { kyselyPool } from 'nullpool/kysely'
import { describe, expect, inject, it } from 'vitest'
import { useDeeds } from '../support/use-deeds.ts'

const { pgbouncer, postgres } = inject('servers')

describe.skipIf(!pgbouncer)('a statement between two transactions of one connection', () => {
  const bed = useDeeds()

  it.each(['commit', 'rollback'])('is in neither: %s', async (end) => {
    await using scope = createDatabase({
      url: bed.url(pgbouncer ?? postgres),
      pooler: 'pgbouncer',
    }).scope()
    const client = await kyselyPool(scope).connect()
    await client.query('begin', [])
    await client.query("insert into deeds values ('first')", [])
    await client.query(end, [])
    const between = client.query("insert into deeds values ('between')", []).then(
      () => 'ok',
      (error) => error.code,
    )
    await client.query('begin', [])
    await client.query("insert into deeds values ('second')", [])
    const told = await between
    await client.query('rollback', [])
    client.release()
    const kept = (await bed.sql`select name from deeds`).map(({ name }) => name)
    expect({ told, kept: kept.includes('between') }).toEqual({ told, kept: told === 'ok' })
  })
})
