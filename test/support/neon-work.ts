import type { Scope } from 'nullpool'
import { neonClient, neonPool } from 'nullpool/neon'

/** Queries, twenty at once, and a transaction that is undone. */
export async function work(scope: Scope): Promise<unknown> {
  const pool = neonPool(scope)
  const all = await Promise.all(
    Array.from({ length: 20 }, (_, n) => pool.query('select $1::int as n', [n])),
  )
  const client = neonClient(scope)
  await client.query('begin')
  await client.query('create table undone (n int)')
  await client.query('rollback')
  const { rows } = await client.query(`select to_regclass('undone') as table, $1::text as long`, [
    'x'.repeat(100_000),
  ])
  await client.end()
  return [all.map(({ rows: [row] }) => row.n), rows[0].table, rows[0].long.length]
}
/** What comes of it. */
export const DONE: unknown = [Array.from({ length: 20 }, (_, n) => n), null, 100_000]
