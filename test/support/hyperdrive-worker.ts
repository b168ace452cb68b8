import { Hono } from 'hono'
import { createDatabase, type DatabaseOptions, NullpoolError, type NullpoolEvent } from 'nullpool'

/** Says what a request gets of its Hyperdrive bindings, and what it costs. */
const app = new Hono<{ Bindings: Record<string, { connectionString: string }> }>()

app.get('/look', async (c) => {
  const events: NullpoolEvent[] = []
  const database = createDatabase({ onEvent: (event) => void events.push(event) })
  const [row] = await database.run(
    { env: c.env },
    ({ sql }) => sql`select current_database() as database, ${1}::int as n`,
  )
  const hosts = events.flatMap((event) => (event.type === 'connect' ? [event.host] : []))
  const warnings = events.flatMap((event) => (event.type === 'warning' ? [event.code] : []))
  return c.json({ database: row?.database, hosts, warnings })
})

app.get('/named/:binding', async (c) => {
  const url = (): string | undefined => c.env[c.req.param('binding')]?.connectionString
  const database = createDatabase({ url })
  const [row] = await database.run({}, ({ sql }) => sql`select current_database() as database`)
  return c.json(row)
})

/** Round trips of the first statement, of one like it, and of a transaction of two. */
app.get('/trips', async (c) => {
  await using scope = createDatabase().scope({ env: c.env })
  const costs: number[] = []
  const cost = async (work: () => Promise<unknown>): Promise<void> => {
    const before = scope.metrics.roundTrips
    await work()
    costs.push(scope.metrics.roundTrips - before)
  }
  const ask = (n: number) => scope.sql`select ${n}::int as n`
  await cost(async () => ask(1))
  await cost(async () => ask(2))
  await cost(() => scope.transaction(async (sql) => [await sql`select 1`, await sql`select 2`]))
  return c.json(costs)
})

app.get('/claims', async (c) => {
  const caching = c.req.query('caching') === 'off' ? ({ hyperdriveCaching: false } as const) : {}
  const options: DatabaseOptions = {
    roles: ['pg_monitor'],
    anonymousRole: 'pg_monitor',
    ...caching,
  }
  const result = createDatabase(options).run({ env: c.env }, async (scope) => {
    const { sql } = scope.as({ sub: 'somebody' })
    const [row] = await sql`
      select current_setting('request.jwt.claims')::jsonb->>'sub' as sub, current_role as role`
    return { ...row }
  })
  return c.json(await result.catch(({ code, hint }: NullpoolError) => ({ code, hint })))
})

app.get('/tls', async (c) => {
  const result = createDatabase({ tls: 'verify' }).run({ env: c.env }, ({ sql }) => sql`select 1`)
  return c.json(await result.catch((error: unknown) => (NullpoolError.is(error) ? error.code : '')))
})

app.get('/session', async (c) => {
  const result = createDatabase().run({ env: c.env }, ({ sql }) => sql`set work_mem to '8MB'`)
  return c.json(await result.catch((error: unknown) => (NullpoolError.is(error) ? error.code : '')))
})

export default app
