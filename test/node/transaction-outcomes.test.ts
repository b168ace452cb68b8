import { createDatabase, NullpoolError, type Scope } from 'nullpool'
import { beforeAll, describe, expect, inject, it } from 'vitest'
import { type App, honoBed } from '../support/hono-bed.ts'
import { useDeeds } from '../support/use-deeds.ts'

const { pgbouncer } = inject('servers')

/** The backend that serves a transaction. */
const PID = 'select pg_backend_pid() as pid'

describe.skipIf(!pgbouncer)('the outcome of a transaction whose connection is lost', () => {
  const bed = useDeeds()
  const open = (signal?: AbortSignal): Scope =>
    createDatabase({ url: bed.url(pgbouncer ?? bed.servers.postgres), pooler: 'pgbouncer' }).scope(
      signal ? { signal } : {},
    )
  /** Once the statement has come there, which no other connection hears of. */
  const untilSleeping = (pid: unknown): Promise<void> =>
    expect
      .poll(
        () => bed.sql`select from pg_stat_activity
          where pid = ${pid as number} and state = 'active' and query like '%pg_sleep(30)%'`,
      )
      .toHaveLength(1)
  const kill = (pid: unknown): Promise<unknown> =>
    bed.sql`select pg_terminate_backend(${pid as number}, 5000)`

  it('is the same for the statement under way and for the whole call, in one error', async () => {
    await using scope = open()
    let inner: Promise<unknown> | undefined
    const whole = scope.transaction(async (sql) => {
      await sql`insert into deeds values ('lost')`
      const [row] = await sql.unsafe(PID)
      const sleeping = sql`select pg_sleep(30)`.execute()
      inner = sleeping.catch((error: unknown) => error)
      await untilSleeping(row?.pid)
      await kill(row?.pid)
      return sleeping
    })
    const outer = await whole.catch((error: unknown) => error)
    expect(outer).toBeInstanceOf(NullpoolError)
    expect(outer).toMatchObject({ code: 'ERR_SERVER_UNAVAILABLE', outcome: 'rolled back' })
    expect(await inner).toBe(outer)
    expect(await bed.sql`select * from deeds`).toHaveLength(0)
  })

  it('is not made a success by a commit that was refused before', async () => {
    await using scope = open()
    const whole = scope.transaction(async (sql) => {
      await sql`insert into deeds values ('lost')`
      const [row] = await sql.unsafe(PID)
      await expect(sql`commit`).rejects.toMatchObject({ code: '2D000' })
      await kill(row?.pid)
      return 'fine'
    })
    await expect(whole).rejects.toMatchObject({ outcome: 'rolled back' })
    expect(await bed.sql`select * from deeds`).toHaveLength(0)
  })

  it('is not made a success by a commit that was refused, where the client has gone', async () => {
    const controller = new AbortController()
    await using scope = open(controller.signal)
    const whole = scope.transaction(async (sql) => {
      await sql`insert into deeds values ('lost')`
      await sql`commit`.catch(() => undefined)
      controller.abort()
      return 'fine'
    })
    await expect(whole).rejects.toMatchObject({ code: 'ERR_ABORTED', outcome: 'rolled back' })
    expect(await bed.sql`select * from deeds`).toHaveLength(0)
  })

  it('is committed for a transaction that never had a statement', async () => {
    await using scope = open()
    expect(await scope.transaction(async () => 'nothing')).toBe('nothing')
    expect(scope.metrics.roundTrips).toBe(0)
  })

  it('tells of a failed statement that a reading transaction has swallowed', async () => {
    await using scope = open()
    const whole = scope.transaction({ readOnly: true }, async (sql) => {
      await sql`select 1 / 0`.catch(() => undefined)
      return 'fine'
    })
    await expect(whole).rejects.toMatchObject({ code: 'ERR_TRANSACTION_ROLLED_BACK' })
  })

  it('waits for the end of a reading transaction that was let write', async () => {
    await bed.sql`create table if not exists once (n int unique deferrable initially deferred)`
    await using scope = open()
    const whole = scope.transaction({ readOnly: true }, async (sql) => {
      await sql`set transaction read write`
      await sql`insert into once values (1), (1)`
    })
    await expect(whole).rejects.toMatchObject({ code: '23505' })
  })

  it.each(['40000', '40001'])(
    'passes on what its work throws, also with the code %s',
    async (code) => {
      const own = Object.assign(new Error('my own'), { code })
      await using scope = open()
      const failing = scope.transaction(async (sql) => {
        await sql`select 1`
        throw own
      })
      await expect(failing).rejects.toBe(own)
    },
  )

  it('takes options that ask for nothing inside of another', async () => {
    await using scope = open()
    const nothing = { readOnly: false, deferrable: false, retries: 0, settings: {} }
    const inner = scope.transaction(() => scope.transaction(nothing, (sql) => sql`select 1 as n`))
    expect(await inner).toEqual([{ n: 1 }])
    for (const options of [{ readOnly: true }, { retries: 1 }, { settings: { work_mem: '1MB' } }]) {
      const refused = scope.transaction(() => scope.transaction(options, async () => undefined))
      await expect(refused).rejects.toMatchObject({ code: 'ERR_OPTIONS' })
    }
  })

  it('takes no options for none', async () => {
    await using scope = open()
    for (const none of [undefined, null]) {
      const whole = scope.transaction(none as never, async (sql) => sql`select 1 as n`)
      expect(await whole).toEqual([{ n: 1 }])
    }
  })
})

describe.skipIf(!pgbouncer)('the outcome of a request that is a transaction', () => {
  const bed = honoBed()
  beforeAll(async () => {
    await bed.database.sql`create table deeds (name text)`
  })
  const app = (): App => bed.app({ transaction: true, pooler: 'pgbouncer' })

  it('is not made a success by a commit that was refused before', async () => {
    const routes = app().get('/', async (c) => {
      await c.var.sql`insert into deeds values ('lost')`
      const [row] = await c.var.sql.unsafe(PID)
      await c.var.sql`commit`.catch(() => undefined)
      await bed.database.sql`select pg_terminate_backend(${row?.pid}, 5000)`
      return c.text('saved', 201)
    })
    let failure: unknown
    routes.onError((error, c) => {
      failure = error
      return c.text('failed', 500)
    })
    expect((await bed.get(routes)).status).toBe(500)
    expect(failure).toMatchObject({ outcome: 'rolled back' })
    expect(await bed.database.sql`select * from deeds`).toHaveLength(0)
  })

  it('is on the error with which a handler fails', async () => {
    const routes = app().get('/', async (c) => {
      const [row] = await c.var.sql.unsafe(PID)
      const sleeping = c.var.sql`select pg_sleep(30)`.execute()
      await bed.database.sql`select pg_terminate_backend(${row?.pid}, 5000)`
      return c.json(await sleeping)
    })
    let failure: unknown
    routes.onError((error, c) => {
      failure = error
      return c.text('failed', 500)
    })
    expect((await bed.get(routes)).status).toBe(500)
    expect(failure).toMatchObject({ outcome: 'rolled back' })
  })
})
