import { createDatabase, type DatabaseOptions, type Scope } from 'nullpool'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { databaseUrl } from '../support/servers.ts'
import type { StrictPooler } from '../support/strict-pooler.ts'
import { readTls, StrictPoolerBed } from '../support/strict-pooler-bed.ts'

describe('the wire through the strict pooler model', () => {
  let bed: StrictPoolerBed
  beforeAll(async () => {
    bed = await StrictPoolerBed.create()
  })
  afterEach(() => bed.clear())
  afterAll(() => bed[Symbol.asyncDispose]())

  const scopeOn = (pooler: StrictPooler, options: DatabaseOptions = {}): Scope => {
    const { database, ...login } = bed.login(pooler)
    return createDatabase({ url: databaseUrl(pooler, database, login), ...options }).scope()
  }

  /** Nothing that Supavisor punishes, no backend lost, and never two ReadyForQuery awaited. */
  const expectNoViolation = async (pooler: StrictPooler): Promise<void> => {
    await pooler.until(({ clients }) => clients === 0)
    expect(pooler.stats.violations).toEqual([])
    expect(pooler.stats.backendsDestroyed).toBe(0)
    expect(pooler.stats.maxOutstanding).toBe(1)
  }

  it.each(['without', 'with'] as const)(
    'answers 20 parameterised and 20 plain queries at once %s TLS',
    async (how) => {
      const tls = how === 'with' ? { tls: await readTls() } : {}
      const pooler = await bed.start({ poolSize: 1, ...tls })
      const { ca } = bed.database.servers
      const scope = scopeOn(pooler, how === 'with' ? { tls: { ca } } : {})
      const numbers = Array.from({ length: 20 }, (_, number) => number)
      const found = await Promise.all(
        numbers.flatMap((number) => [
          scope.sql`select ${number}::int as n`.then(([row]) => row?.n),
          scope.sql.unsafe(`select ${number + 100} as n`).then(([row]) => row?.n),
        ]),
      )
      expect(found).toEqual(numbers.flatMap((number) => [number, number + 100]))
      await scope.close()
      await expectNoViolation(pooler)
      expect(pooler.stats.logins).toBe(1)
    },
  )

  it('sends the first flight on the server’s proof, before ReadyForQuery', async () => {
    const pooler: StrictPooler = await bed.start({
      beforeGreeting: () => pooler.until(({ postponed }) => postponed === 1),
    })
    const scope = scopeOn(pooler)
    expect((await scope.sql`select 1 as n`)[0]?.n).toBe(1)
    await scope.close()
    await expectNoViolation(pooler)
  })

  it('keeps to the rules in transactions, with errors, cursors and COPY', async () => {
    const pooler = await bed.start({ poolSize: 1 })
    const { sql, close } = bound(scopeOn(pooler))
    await sql.begin(async (tx) => {
      await tx`create temporary table things (n int) on commit drop`
      await tx`insert into things ${tx([{ n: 1 }, { n: 2 }])}`
      const failed = tx.savepoint((inner) => inner`select ${'x'}::int`)
      await expect(failed).rejects.toMatchObject({ code: '22P02' })
      const rows = await tx`copy things from stdin`.writable()
      await new Promise((resolve) => rows.on('finish', resolve).end('3\n'))
      expect((await tx`select sum(n)::int as sum from things`)[0]?.sum).toBe(6)
    })
    await expect(sql`select 1/0`).rejects.toMatchObject({ code: '22012' })
    for await (const rows of sql`select generate_series(1, 1000) as n`.cursor(10)) {
      expect(rows).toHaveLength(10)
      break
    }
    await close()
    await expectNoViolation(pooler)
  })

  it('closes in the middle of a cursor, a query and a transaction without harm', async () => {
    const pooler = await bed.start({ poolSize: 2 })
    const held = scopeOn(pooler)
    const cursor = held.sql`select generate_series(1, 1000) as n`.cursor(10)[Symbol.asyncIterator]()
    await cursor.next()
    await held.close()
    const open = scopeOn(pooler)
    const begun = Promise.withResolvers<void>()
    const dangling = open.sql.begin(async (tx) => {
      await tx`select 1`
      begun.resolve()
      await new Promise(() => {})
    })
    dangling.catch(() => {})
    await begun.promise
    await open.close()
    const running = scopeOn(pooler)
    const sleeping = running.sql`select pg_sleep(0.2)`.execute()
    const failure = expect(sleeping).rejects.toMatchObject({ code: 'ERR_SCOPE_CLOSED' })
    await pooler.until(({ busy }) => busy === 1)
    await running.close()
    await failure
    await expectNoViolation(pooler)
    await expect.poll(() => bed.database.idleInTransaction()).toBe(0)
  })

  it('never meets somebody else’s prepared statement on one backend', async () => {
    const pooler = await bed.start({ poolSize: 1 })
    const scopes = [scopeOn(pooler), scopeOn(pooler)]
    const rounds = Array.from({ length: 100 }, (_, round) => round)
    await Promise.all(
      scopes.map(async ({ sql }, who) => {
        for (const round of rounds) {
          const [row] = await sql`select ${who}::int as who, ${round}::int as round`
          expect(row).toEqual({ who, round })
        }
      }),
    )
    await Promise.all(scopes.map((scope) => scope.close()))
    await expectNoViolation(pooler)
  })
})

function bound(scope: Scope): { sql: Scope['sql']; close: () => Promise<void> } {
  return { sql: scope.sql, close: () => scope.close() }
}
