import { type ControlledTransaction, type Kysely, sql as kyselySql } from 'kysely'
import type { TransactionSql } from 'nullpool'
import type { Act, Tables } from './savepoint-acts.ts'
import { onPurpose, type Part, type SavepointHistory } from './savepoint-history.ts'
import type { Seeded } from './seeded.ts'

/** Kysely's transaction by hand, with a savepoint of Kysely's in it. */
export const kyselyControlled: Act = ({ kysely, history, part, seeded }) =>
  history.part('controlled', part, async (inner) => {
    const tx = await kysely.startTransaction().execute()
    try {
      await controlledSavepoint(history, inner, tx, seeded)
    } catch (error) {
      await tx.rollback().execute()
      throw error
    }
    if (seeded.chance(0.3)) {
      await tx.rollback().execute()
      throw onPurpose()
    }
    await tx.commit().execute()
  })

async function controlledSavepoint(
  history: SavepointHistory,
  part: Part,
  tx: ControlledTransaction<Tables>,
  seeded: Seeded,
): Promise<void> {
  const add = (where: Part, db: Kysely<Tables>): Promise<string> =>
    history.insert('its row', where, (row) =>
      db.insertInto('deeds').values({ name: row }).execute(),
    )
  if (seeded.chance(0.5)) await add(part, tx)
  const saved = await tx.savepoint('here').execute()
  const inner = history.open('saved', part)
  await add(inner, saved)
  if (seeded.chance(0.3))
    await history.run('failure', inner, () => kyselySql`select 1 / 0`.execute(saved))
  if (inner.failed || seeded.chance(0.5)) {
    await saved.rollbackToSavepoint('here').execute()
    history.end(inner, 'rolled back')
  } else {
    await saved.releaseSavepoint('here').execute()
    history.end(inner, 'done')
  }
  await add(part, tx)
}

/** A transaction of Neon's driver by hand, with a savepoint of its user's in it. */
export const neonTransaction: Act = async ({ history, neon, part, seeded }) => {
  if (!neon) return
  const client = neon()
  await history.part('neon', part, async (inner) => {
    await client.query('begin')
    const add = (where: Part): Promise<string> =>
      history.insert('its row', where, (row) =>
        client.query('insert into deeds values ($1)', [row]),
      )
    await add(inner)
    const name = seeded.pick(['"quoted"', 'bare'])
    await history.run('mark', inner, () => client.query(`savepoint ${name}`))
    const saved = history.open('saved', inner)
    await add(saved)
    if (seeded.chance(0.3)) await history.run('failure', saved, () => client.query('select 1 / 0'))
    const undo = saved.failed || seeded.chance(0.5)
    const end = undo ? 'rollback to' : 'release'
    const told = await history.run('end', undo ? inner : saved, () =>
      client.query(`${end} ${name}`),
    )
    history.end(saved, undo ? 'rolled back' : told)
    if (seeded.chance(0.3)) {
      await client.query('rollback')
      throw onPurpose()
    }
    await client.query('commit')
  })
}

/** Savepoints of a user's own in one of ours, and of ours in those. */
export const marked: Act = ({ history, part, scope, seeded }, sql) =>
  history.part('by hand', part, (outer) =>
    sql.savepoint(async (tx) => {
      const add = (where: Part, handle: TransactionSql): Promise<string> =>
        history.insert('row', where, (row) => handle`insert into deeds values (${row})`)
      const name = seeded.pick(['"mine"', 'mine'])
      const told = await history.run('mark', outer, () => tx.unsafe(`savepoint ${name}`))
      if (told !== 'done') return
      const mine = history.open('mine', outer)
      for (let n = seeded.below(3); n > 0; n -= 1) {
        await history.part('nested', mine, (inner) => {
          const work = async (nested: TransactionSql): Promise<void> => {
            await add(inner, nested)
            if (seeded.chance(0.3)) throw onPurpose()
          }
          return seeded.chance(0.5) ? tx.savepoint(work) : scope.transaction(work)
        })
      }
      const undo = seeded.chance(0.5)
      const end = undo ? 'rollback to' : 'release'
      const ended = await history.run('end', undo ? outer : mine, () => tx.unsafe(`${end} ${name}`))
      history.end(mine, undo ? 'rolled back' : ended)
      await add(outer, tx)
      if (seeded.chance(0.3)) throw onPurpose()
    }),
  )
