/** A server's life, for whatever runtime runs this file: a pool, a scope for a request, and an end. */
import { createDatabase } from 'nullpool'
import { createPool } from 'nullpool/stationary'

const { DATABASE_URL: url = '' } = process.env
// A role that every server has.
const roles = ['pg_read_all_data']
const pool = createPool({
  url,
  pooler: 'postgres',
  poolSize: 2,
  maxOverflow: 1,
  roles,
  anonymousRole: 'pg_read_all_data',
})
const found = await Promise.all(
  Array.from({ length: 20 }, async (_, n) => (await pool.sql`select ${n}::int as n`)[0]?.n),
)
const moved = await pool.transaction(async (sql) => {
  await sql`create temporary table moved (n int) on commit drop`
  await sql`insert into moved values (${1}), (${2})`
  return (await sql`select sum(n)::int as sum from moved`)[0]?.sum
})
const [[one], [two]] = await pool.batch((sql) => [
  sql`select ${1}::int as one`,
  sql`select ${'two'}::text as two`,
])
const [claimed] = await pool.as({ sub: 'me' }).sql`select current_setting('role') as role`
// A third connection may have come when nobody waited for it any more; then it leaves at once.
while (pool.stats.overflow > 0 || pool.stats.idle < pool.stats.size) {
  await new Promise((resolve) => setTimeout(resolve, 1))
}
const { stats } = pool
const database = createDatabase({ url })
const request = await database.run({}, async ({ sql }) => (await sql`select 'request' as who`)[0])
await pool.close()
console.log(JSON.stringify({ found, moved, one, two, claimed, stats, request }))
// Nothing is left that would keep the process.
