import { sql as dsql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import { Kysely, PostgresDialect, sql as raw } from 'kysely'
import type { Scope } from 'nullpool'
import { drizzleClient } from 'nullpool/drizzle'
import { kyselyPool } from 'nullpool/kysely'
import { afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { honoBed } from '../support/hono-bed.ts'

const TEXT = "insert into deeds select 'slow' from pg_sleep(0.4)"
const CLIENTS: Record<string, (db: Scope) => Promise<unknown>> = {
  kysely: (db) =>
    raw.raw(TEXT).execute(new Kysely({ dialect: new PostgresDialect({ pool: kyselyPool(db) }) })),
  drizzle: async (db) => drizzle(drizzleClient(db)).execute(dsql.raw(TEXT)),
  sql: async (db) => db.sql.unsafe(TEXT),
}

describe.skipIf(!inject('servers').pgbouncer)('a statement under way at COMMIT', () => {
  const bed = honoBed()
  beforeAll(async () => {
    await bed.database.sql`create table deeds (name text)`
  })
  afterEach(() => bed.database.sql`truncate deeds`)
  /** Or until it has run, where this side has stood still meanwhile. */
  const untilRunning = async (): Promise<void> => {
    for (;;) {
      const rows = await bed.database
        .sql`select from pg_stat_activity where datname = current_database()
        and state in ('active', 'idle in transaction') and pid <> pg_backend_pid()
        and query like '%pg_sleep(0.4)%'`
      if (rows.length > 0) return
    }
  }
  it.each(Object.keys(CLIENTS))('is told what became of it: %s', async (client) => {
    let told: Promise<string> | undefined
    const app = bed.app({ transaction: true, pooler: 'pgbouncer' }).get('/', async (c) => {
      await c.var.sql`select 1`
      told = CLIENTS[client]?.(c.var.db).then(
        () => 'ok',
        (error) => error.code ?? error.cause?.code,
      )
      try {
        await Promise.all([
          told,
          untilRunning().then(() => Promise.reject(new Error('another service'))),
        ])
      } catch {
        // It answers with something less.
      }
      return c.text('done')
    })
    const response = await bed.get(app)
    const kept = await bed.database.sql`select * from deeds`
    expect([response.status, await told]).toEqual([
      200,
      kept.length === 1 ? 'ok' : 'ERR_TRANSACTION_OVER',
    ])
  })
})
