import postgresjs, { type Sql } from 'postgres'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { findSessionState, isSuspect } from '../../src/guard/session-state.ts'
import { IDENTITY_STATEMENTS } from '../support/identity-statements.ts'
import { CAUTIOUS, KEPT, SCHEMA, STATE, STATEMENTS, UNSEEN } from '../support/session-statements.ts'
import { DATABASE } from '../support/setting-statements.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { postgres } = inject('servers')

/** What a statement says that is not in a transaction and has to be, or is and must not. */
const WANTS_NO_TRANSACTION = '25001'

/** A statement that was prepared, or a cursor, that there is not in another session. */
const NOT_HERE = /^(26000|34000)$/

function codeOf(error: unknown): string {
  return String(Reflect.get(error as object, 'code') ?? error)
}

/** What the guard says of a text, as it asks. */
function verdict(text: string): string | undefined {
  return isSuspect(text) ? findSessionState(text).state : undefined
}

describe('the guard, beside what a session really keeps', { timeout: 60_000 }, () => {
  let bed: TestDatabase
  beforeAll(async () => {
    bed = await createTestDatabase()
    await bed.sql.unsafe(`do $$ begin
      perform pg_advisory_xact_lock(4711);
      if not exists (select from pg_roles where rolname = 'anon') then
        create role anon nologin noinherit;
      end if;
    end $$`)
  })
  afterAll(() => bed[Symbol.asyncDispose]())

  /** A session of its own, in session mode, of the bare driver. */
  const inSession = async <T>(work: (sql: Sql) => Promise<T>): Promise<T> => {
    const { host, port, user, password } = postgres
    const options = { max: 1, onnotice: () => {}, fetch_types: false, prepare: false }
    const sql = postgresjs({ host, port, user, password, database: bed.name, ...options })
    try {
      return await work(sql)
    } finally {
      await sql.end()
    }
  }
  const state = async (sql: Sql): Promise<unknown> => (await sql.unsafe(STATE).simple())[0]?.state

  /** Runs a text in a transaction, or by itself where it wants none. */
  const run = async (sql: Sql, text: string): Promise<void> => {
    const here = text.replaceAll(DATABASE, bed.name)
    const drain = async (): Promise<void> => {
      if (!text.startsWith('copy')) return void (await sql.unsafe(here).simple())
      for await (const _ of await sql.unsafe(here).readable());
    }
    await sql.unsafe('begin').simple()
    try {
      await drain()
      await sql.unsafe('commit').simple()
    } catch (error) {
      await sql.unsafe('rollback').simple()
      if (codeOf(error) !== WANTS_NO_TRANSACTION) throw error
      await drain()
    }
  }

  /** Whether a text leaves something in the session, takes something, or finds what only is there. */
  const needsSession = async (text: string): Promise<boolean> => {
    await bed.sql.unsafe(SCHEMA)
    const changes = await inSession(async (sql) => {
      for (const statement of KEPT) await sql.unsafe(statement).simple()
      const before = await state(sql)
      await run(sql, text)
      return JSON.stringify(await state(sql)) !== JSON.stringify(before)
    })
    if (changes) return true
    await bed.sql.unsafe(SCHEMA)
    const elsewhere = await inSession((sql) => run(sql, text).then(() => '', codeOf))
    return NOT_HERE.test(elsewhere)
  }

  it.each(STATEMENTS)('agrees: %s', async (text) => {
    expect({ found: verdict(text) !== undefined }).toEqual({ found: await needsSession(text) })
  })

  it.each(CAUTIOUS)('is cautious: %s', async (text) => {
    expect(await needsSession(text)).toBe(false)
    expect(verdict(text)).toBeDefined()
  })

  it.each(UNSEEN)('cannot see: %s', async (text) => {
    expect(await needsSession(text)).toBe(true)
    expect(verdict(text)).toBeUndefined()
  })

  describe('under claims', () => {
    beforeAll(async () => {
      await bed.sql.unsafe(`do $$ begin
        perform pg_advisory_xact_lock(4711);
        if not exists (select from pg_roles where rolname = 'other') then
          create role other nologin superuser;
        end if;
        if not exists (select from pg_roles where rolname = 'someone') then
          create role someone nologin superuser;
        end if;
      end $$`)
    })

    it.each(IDENTITY_STATEMENTS)('agrees: %s', async (text) => {
      await bed.sql.unsafe(SCHEMA)
      const changes = await inSession(async (sql) => {
        const whom = async (): Promise<unknown> =>
          (
            await sql
              .unsafe(`select current_user, session_user,
                current_setting('request.jwt.claims', true) as claims,
                current_setting('request.jwt.claim.sub', true) as sub`)
              .simple()
          )[0]
        await sql.unsafe('begin').simple()
        await sql
          .unsafe(`select set_config('request.jwt.claims', '{"sub":"1"}', true),
            set_config('role', 'someone', true)`)
          .simple()
        const before = await whom()
        await sql.unsafe(text).simple()
        const after = await whom()
        await sql.unsafe('rollback').simple()
        return JSON.stringify(after) !== JSON.stringify(before)
      })
      const { identity } = findSessionState(text)
      expect({ found: isSuspect(text) && !!identity }).toEqual({ found: changes })
    })
  })
})
