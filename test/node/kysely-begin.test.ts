import { type Kysely, sql as raw } from 'kysely'
import type { NullpoolEvent } from 'nullpool'
import { kyselyPool } from 'nullpool/kysely'
import { describe, expect, inject, it } from 'vitest'
import { add, KyselyBed } from '../support/kysely-bed.ts'
import type { Library } from '../support/library-schema.ts'

type Db = Kysely<Library>

const say = (db: Db, text: string): Promise<unknown> => raw.raw(text).execute(db)

const modeOf = async (db: Db): Promise<unknown> => {
  const { rows } = await raw<{ mode: string }>`
    select current_setting('transaction_read_only') as mode`.execute(db)
  return rows[0]?.mode
}

describe.skipIf(!inject('servers').pgbouncer)(
  'BEGIN, written by hand on a connection of Kysely',
  () => {
    const bed = new KyselyBed()

    it.each(['a transaction of its own', 'a savepoint'])(
      'begins nothing within %s, loses nothing, and warns as the server does',
      async (what) => {
        const warnings: NullpoolEvent[] = []
        const onEvent = (event: NullpoolEvent): void => {
          if (event.type === 'warning') warnings.push(event)
        }
        await using scope = bed.open({ onEvent })
        const work = (): Promise<void> =>
          bed
            .on(scope)
            .connection()
            .execute(async (db) => {
              await say(db, 'begin')
              await add(db, 'first')
              await say(db, 'START TRANSACTION')
              await add(db, 'second')
              await say(db, 'commit')
            })
        await (what === 'a savepoint' ? scope.transaction(work) : work())
        expect(await bed.titles()).toEqual(['first', 'second'])
        expect(warnings).toMatchObject([
          { code: '25001', message: 'WARNING: there is already a transaction in progress' },
        ])
      },
    )

    it('changes the modes of its transaction, as the server has it', async () => {
      await using scope = bed.open()
      const modes = await bed
        .on(scope)
        .connection()
        .execute(async (db) => {
          await say(db, 'begin')
          await say(db, 'begin read only')
          const inside = await modeOf(db)
          await say(db, 'rollback')
          return [inside, await modeOf(db)]
        })
      expect(modes).toEqual(['on', 'off'])
    })

    it.each([
      'begin read only',
      'set transaction read only',
      'set local transaction_read_only = on',
    ])(
      'takes no modes within a savepoint, behind which everything could not write: %s',
      async (text) => {
        await using scope = bed.open()
        const code = await scope.transaction(async (sql) => {
          const refused = await bed
            .on(scope)
            .connection()
            .execute(async (db) => {
              await say(db, 'begin')
              return say(db, text).catch((error) => error.code)
            })
          await sql`insert into books (title) values ('behind')`
          return refused
        })
        expect(code).toBe('ERR_OPTIONS')
        expect(await bed.titles()).toEqual(['behind'])
      },
    )

    it('begins another one behind a COMMIT that has failed', async () => {
      await using scope = bed.open()
      await bed
        .on(scope)
        .connection()
        .execute(async (db) => {
          await say(db, 'begin')
          await add(db, 'undone')
          await add(db, 'undone').catch(() => undefined)
          const code = await say(db, 'commit').catch((error) => error.code)
          expect(code).toBe('ERR_TRANSACTION_ROLLED_BACK')
          await say(db, 'begin')
          await add(db, 'kept')
          await say(db, 'commit')
        })
      expect(await bed.titles()).toEqual(['kept'])
    })

    it('takes the last of several access modes, and tells that COMMIT was refused', async () => {
      await bed.database.sql`create table once (n int unique deferrable initially deferred)`
      await using scope = bed.open()
      const writing = bed
        .on(scope)
        .connection()
        .execute(async (db) => {
          await say(db, 'begin read only, read write')
          await say(db, 'insert into once values (1), (1)')
          await say(db, 'commit')
        })
      await expect(writing).rejects.toMatchObject({ code: '23505' })
    })

    it('goes on outside of a transaction behind its end', async () => {
      await using scope = bed.open()
      await bed
        .on(scope)
        .connection()
        .execute(async (db) => {
          for (const end of ['commit', 'rollback']) {
            await say(db, 'begin')
            await add(db, `before ${end}`)
            await say(db, end)
            await add(db, `behind ${end}`)
          }
        })
      expect(await bed.titles()).toEqual(['before commit', 'behind commit', 'behind rollback'])
    })

    it('holds up nobody where its connection is given back before its turn', async () => {
      await using scope = bed.open()
      const db = bed.on(scope)
      await scope.transaction(async () => {
        const open = await db.startTransaction().execute()
        const client = await kyselyPool(scope).connect()
        const begun = client.query('begin', [])
        client.release()
        const told = expect(begun).rejects.toMatchObject({ code: 'ERR_TRANSACTION_OVER' })
        await add(open, 'one')
        await open.commit().execute()
        await told
        await db.transaction().execute((tx) => add(tx, 'two'))
      })
      expect(await bed.titles()).toEqual(['one', 'two'])
    })
  },
)
