import { createDatabase, type Scope } from 'nullpool'
import { describe, expect, inject, it } from 'vitest'
import { useDeeds } from '../support/use-deeds.ts'

const { pgbouncer } = inject('servers')

/** What is opened by one test and awaited by another part of it. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open: () => void = () => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

describe.skipIf(!pgbouncer)('savepoints beside each other', () => {
  const bed = useDeeds()
  const open = (): Scope =>
    createDatabase({
      url: bed.url(pgbouncer ?? bed.servers.postgres),
      pooler: 'pgbouncer',
      queryTimeoutMs: 5_000,
    }).scope()
  const deeds = (): Promise<unknown[]> => bed.deeds()

  it('a transaction in a transaction that fails takes nothing of its sibling with it', async () => {
    await using scope = open()
    const results = await scope.transaction(() =>
      Promise.allSettled([
        scope.transaction(async (sql) => {
          await sql`insert into deeds values ('a')`
          await sql`select 1`
          throw new Error('on purpose')
        }),
        scope.transaction(async (sql) => {
          await sql`insert into deeds values ('b')`
          return 'ok'
        }),
      ]),
    )
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
    expect(await deeds()).toEqual(['b'])
  })

  it('a statement of the outside waits for the end of a savepoint, and is not rolled back with it', async () => {
    await using scope = open()
    const inside = gate()
    const goOn = gate()
    const results = await scope.transaction(async (sql) => {
      const failing = sql.savepoint(async (inner) => {
        await inner`insert into deeds values ('inner')`
        inside.open()
        await goOn.opened
        throw new Error('on purpose')
      })
      await inside.opened
      const outer = sql`insert into deeds values ('outer')`.execute()
      goOn.open()
      return Promise.allSettled([failing, outer])
    })
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
    expect(await deeds()).toEqual(['outer'])
  })

  it('the outer handle may be used inside of a savepoint, which it is then part of', async () => {
    await using scope = open()
    await scope.transaction(async (sql) => {
      const failing = sql.savepoint(async () => {
        await sql`insert into deeds values ('outer handle')`
        await sql.savepoint(() => sql`insert into deeds values ('deeper')`)
        await scope.transaction((third) => third`insert into deeds values ('deepest')`)
        throw new Error('on purpose')
      })
      await expect(failing).rejects.toThrow('on purpose')
      await sql`insert into deeds values ('after')`
    })
    expect(await deeds()).toEqual(['after'])
  })

  it('transactions three deep keep what the innermost did when only it succeeds later', async () => {
    await using scope = open()
    await scope.transaction(async () => {
      await scope.transaction(async (second) => {
        await second`insert into deeds values ('second')`
        const failing = scope.transaction(async (third) => {
          await third`insert into deeds values ('third')`
          throw new Error('on purpose')
        })
        await expect(failing).rejects.toThrow('on purpose')
      })
    })
    expect(await deeds()).toEqual(['second'])
  })

  it('twenty at once keep exactly what succeeded', async () => {
    await using scope = open()
    await scope.transaction((sql) =>
      Promise.allSettled(
        Array.from({ length: 20 }, (_, n) =>
          n % 2
            ? sql`insert into deeds values (${`plain ${n}`})`
            : sql.savepoint(async (inner) => {
                await inner`insert into deeds values (${`savepoint ${n}`})`
                if (n % 4) throw new Error('on purpose')
              }),
        ),
      ),
    )
    const kept = Array.from({ length: 20 }, (_, n) => {
      if (n % 2) return [`plain ${n}`]
      return n % 4 ? [] : [`savepoint ${n}`]
    })
    expect(await deeds()).toEqual(kept.flat().sort())
  })

  it('a statement that waits for a savepoint can be cancelled, and never runs', async () => {
    await using scope = open()
    const inside = gate()
    const goOn = gate()
    await scope.transaction(async (sql) => {
      const open = sql.savepoint(async (inner) => {
        await inner`select 1`
        inside.open()
        await goOn.opened
      })
      await inside.opened
      const waiting = sql`insert into deeds values ('cancelled')`.execute()
      const failed = expect(waiting).rejects.toMatchObject({ code: '57014' })
      waiting.cancel()
      goOn.open()
      await Promise.all([open, failed])
    })
    expect(await deeds()).toEqual([])
  })

  it('what was built in a savepoint does not run behind its end', async () => {
    await using scope = open()
    await scope.transaction(async (sql) => {
      const { late } = await sql.savepoint(async (inner) => ({
        late: [inner`insert into deeds values ('late')`, 0] as const,
      }))
      await expect(late[0]).rejects.toMatchObject({ code: 'ERR_TRANSACTION_OVER' })
    })
    expect(await deeds()).toEqual([])
  })

  it('what waits when the transaction ends is refused, and runs nowhere', async () => {
    await using scope = open()
    const goOn = gate()
    const late: Promise<unknown>[] = []
    await scope.transaction(async (sql) => {
      const inside = gate()
      late.push(
        sql.savepoint(async (inner) => {
          await inner`select 1`
          inside.open()
          await goOn.opened
          await inner`insert into deeds values ('in a savepoint')`
        }),
      )
      await inside.opened
      late.push(
        sql.savepoint((inner) => inner`insert into deeds values ('next')`),
        sql`insert into deeds values ('outside')`.execute(),
      )
      for (const promise of late) promise.catch(() => undefined)
    })
    goOn.open()
    const results = await Promise.allSettled(late)
    expect(results.map((result) => 'reason' in result && result.reason.code)).toEqual(
      late.map(() => 'ERR_TRANSACTION_OVER'),
    )
    expect(await deeds()).toEqual([])
  })

  it('what is under way in a savepoint that fails does not come behind its end', async () => {
    await using scope = open()
    await scope.transaction(async (sql) => {
      const failing = scope.transaction(async (inner) => {
        const loop = async (): Promise<void> => {
          for (let n = 0; n < 20; n += 1) await inner`insert into deeds values (${`loop ${n}`})`
        }
        const fails = inner`select 1`.then(() => {
          throw new Error('on purpose')
        })
        await Promise.all([loop(), fails])
      })
      await expect(failing).rejects.toThrow('on purpose')
      await sql`insert into deeds values ('after')`
    })
    expect(await deeds()).toEqual(['after'])
  })

  it('a savepoint ends when those in it have, and takes nothing of the outside with it', async () => {
    await using scope = open()
    const goOn = gate()
    await scope.transaction(async (sql) => {
      const left = sql.savepoint(async (outer) => {
        const inner = outer.savepoint(async (deep) => {
          await deep`insert into deeds values ('deep')`
          await goOn.opened
          await deep`select 1`
        })
        inner.catch(() => undefined)
        await outer`select 1`.catch(() => undefined)
      })
      goOn.open()
      await left
      await sql`insert into deeds values ('outer')`
    })
    expect(await deeds()).toContain('outer')
  })
})
