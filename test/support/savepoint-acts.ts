import { sql as drizzleSql } from 'drizzle-orm'
import type { PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import type { Kysely } from 'kysely'
import type { Scope, TransactionSql } from 'nullpool'
import type { neonClient } from 'nullpool/neon'
import { kyselyControlled, marked, neonTransaction } from './savepoint-acts-by-hand.ts'
import { onPurpose, type Part, type SavepointHistory } from './savepoint-history.ts'
import type { Seeded } from './seeded.ts'

export interface Tables {
  deeds: { name: string }
}

/** Where something is done, and by whom. */
export interface Place {
  readonly history: SavepointHistory
  readonly scope: Scope
  readonly drizzle: PostgresJsDatabase
  readonly kysely: Kysely<Tables>
  /** A client of Neon's driver, where whatever the scope gives is in the transaction. */
  readonly neon: (() => ReturnType<typeof neonClient>) | undefined
  readonly part: Part
  /** Of whatever the code is in, the innermost first. */
  readonly handles: readonly [TransactionSql, ...TransactionSql[]]
  readonly seeded: Seeded
  /** How many savepoints may still lie in each other. */
  readonly depth: number
}

/** Something that code does in a transaction; rejects where its code lets an error through. */
export type Act = (place: Place, handle: TransactionSql) => Promise<unknown>

const insert: Act = ({ history, part }, sql) =>
  history.insert('row', part, (row) => sql`insert into deeds values (${row})`)

const insertPlain: Act = ({ history, part }, sql) =>
  history.insert('plain', part, (row) => sql.unsafe(`insert into deeds values ('${row}')`))

const insertSeveral: Act = ({ history, part }, sql) =>
  history.insert('several', part, (row) =>
    sql.unsafe(`select 1; insert into deeds values ('${row}'); select 2`),
  )

/** So much that a driver writes it at once. */
const insertLarge: Act = ({ history, part }, sql) =>
  history.insert('large', part, (row) =>
    sql.unsafe(`insert into deeds values ('${row}') -- ${'x'.repeat(2_000)}`),
  )

const batch: Act = ({ history, part, scope }) =>
  history.insert('batch', part, (row) =>
    scope.batch((sql) => [sql`insert into deeds values (${row})`, sql`select 1`]),
  )

const drizzlePlain: Act = async ({ drizzle, history, neon, part }) =>
  neon &&
  history.insert('drizzle row', part, (row) =>
    drizzle.execute(drizzleSql`insert into deeds values (${row})`),
  )

const kyselyPlain: Act = async ({ history, kysely, neon, part }) =>
  neon &&
  history.insert('kysely row', part, (row) =>
    kysely.insertInto('deeds').values({ name: row }).execute(),
  )

const fail: Act = async ({ history, part, seeded }, sql) => {
  if (seeded.chance(0.5)) return
  const told = await history.run('failure', part, () => sql`select 1 / 0`)
  if (seeded.chance(0.7)) throw Object.assign(onPurpose(), { code: told })
}

const cursor: Act = ({ history, part, seeded }, sql) =>
  history.run('cursor', part, async () => {
    const last = seeded.below(10)
    const rows = sql`select n from generate_series(1, 10) n`.cursor(2)
    for await (const [row] of rows) {
      if (Number(row?.n) > last) break
      await seeded.breathe()
    }
  })

const aborted: Act = ({ history, part, scope, seeded }, sql) =>
  history.insert('abortable', part, (row) => {
    const controller = new AbortController()
    const query = sql`insert into deeds select ${row} from pg_sleep(0.002)`
    const running = scope.abortable(query, controller.signal)
    void seeded.breathe().then(() => controller.abort())
    return running
  })

const cancelled: Act = ({ history, part, seeded }, sql) =>
  history.insert('cancelled', part, (row) => {
    const query = sql`insert into deeds values (${row})`.execute()
    void seeded.breathe().then(() => query.cancel())
    return query
  })

/** What an access mode of a savepoint does to what comes behind it is for the next to say. */
const readOnly: Act = ({ history, part }, sql) =>
  history.part('reading', part, (inner) =>
    sql.savepoint(async (tx) => {
      await history.run('mode', inner, () => tx`set transaction read only`)
    }),
  )

const copy: Act = ({ history, part, seeded }, sql) =>
  history.part('copy', part, (inner) =>
    sql.savepoint(async (tx) => {
      await history.insert('copied', inner, async (row) => {
        const rows = await tx`copy deeds from stdin`.writable()
        await new Promise<void>((resolve, reject) => {
          rows.on('error', reject).on('finish', resolve).end(`${row}\n`)
        })
      })
      if (seeded.chance(0.4)) throw onPurpose()
    }),
  )

const drizzleTransaction: Act = ({ drizzle, history, part, seeded }) =>
  history.part('drizzle', part, (inner) =>
    drizzle.transaction(async (tx) => {
      await history.insert('its row', inner, (row) =>
        tx.execute(drizzleSql`insert into deeds values (${row})`),
      )
      if (seeded.chance(0.3)) throw onPurpose()
    }),
  )

const kyselyTransaction: Act = ({ kysely, history, part, seeded }) =>
  history.part('kysely', part, (inner) =>
    kysely.transaction().execute(async (tx) => {
      await history.insert('its row', inner, (row) =>
        tx.insertInto('deeds').values({ name: row }).execute(),
      )
      if (seeded.chance(0.3)) throw onPurpose()
    }),
  )

/** What is over with its statement, or a savepoint of its own. */
export const STATEMENTS: readonly [Act, ...Act[]] = [
  insert,
  ...[insert, insertPlain, insertSeveral, insertLarge, batch, drizzlePlain, kyselyPlain],
  ...[fail, fail, cursor, aborted, cancelled],
]

export const SAVEPOINTS: readonly [Act, ...Act[]] = [
  copy,
  ...[readOnly, drizzleTransaction, kyselyTransaction],
  ...[kyselyControlled, neonTransaction, marked, marked],
]
