import { createDatabase, type NullpoolError } from 'nullpool'
import { neonClient, neonPool } from 'nullpool/neon'
import { describe, inject, it } from 'vitest'
import { workerdBed } from '../support/workerd-bed.ts'

const { pgbouncer } = inject('servers')

describe.skipIf(!pgbouncer)('Neon’s driver in workerd, over TCP', () => {
  const bed = workerdBed()
  const database = () => createDatabase({ url: bed.url, pooler: 'pgbouncer' })

  it('queries, twenty at once, in a transaction, and leaves nothing behind', async ({ expect }) => {
    const found = await database().run({}, async (scope) => {
      const pool = neonPool(scope)
      const all = await Promise.all(
        Array.from({ length: 20 }, (_, n) => pool.query('select $1::int as n', [n])),
      )
      const client = await pool.connect()
      await client.query('begin')
      await client.query('create table undone (n int)')
      await client.query('rollback')
      client.release()
      const { rows } = await pool.query(`select to_regclass('undone') as table, $1::bytea as b`, [
        new Uint8Array([0, 255]),
      ])
      expect([...rows[0].b]).toEqual([0, 255])
      expect(rows[0].table).toBeNull()
      expect(scope.metrics.connects).toBe(1)
      return all.map(({ rows: [row] }) => row.n)
    })
    expect(found).toEqual(Array.from({ length: 20 }, (_, n) => n))
    await expect.poll(() => bed.pooledClients()).toBe(0)
    await expect.poll(() => bed.idleInTransaction()).toBe(0)
  })

  it('fails as it does elsewhere, and the connection goes on', async ({ expect }) => {
    await database().run({}, async (scope) => {
      const client = neonClient(scope)
      const code = (failing: Promise<unknown>): Promise<unknown> =>
        failing.then(
          () => 'nothing',
          (error: NullpoolError) => error.code,
        )
      expect(await code(client.query('select nothing'))).toBe('42703')
      expect(await code(client.query('listen news'))).toBe('ERR_SESSION_STATE')
      expect(await code(client.query({ name: 'n', text: 'select 1' }))).toBe(
        'ERR_PREPARED_STATEMENT',
      )
      const circular: Record<string, unknown> = {}
      circular.itself = circular
      await expect(client.query('select $1::json', [circular])).rejects.toThrow(/circular/)
      expect((await client.query('select 1 as n')).rows).toEqual([{ n: 1 }])
    })
  })

  it('is over with its request', async ({ expect }) => {
    const client = await database().run({}, async (scope) => {
      const made = neonClient(scope)
      await made.query('select 1')
      return made
    })
    await expect.poll(() => bed.pooledClients()).toBe(0)
    await expect(client.query('select 1')).rejects.toMatchObject({ code: 'ERR_SCOPE_CLOSED' })
  })
})
