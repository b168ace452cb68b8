import { createDatabase, type Scope } from 'nullpool'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

/** Statements that the server does not take, or may not take, in a transaction. */
const STATEMENTS = [
  'create index concurrently made on deeds (name)',
  '/* first */ CREATE UNIQUE INDEX -- then\n CONCURRENTLY if not exists made on deeds (name)',
  'create index made on deeds (name)',
  'create index "concurrently" on deeds (name)',
  'drop index concurrently old',
  'drop index old',
  'reindex index concurrently old',
  'reindex (verbose) table concurrently deeds',
  'reindex (concurrently) table deeds',
  'reindex table deeds',
  'reindex table parted',
  'reindex schema public',
  'reindex schema concurrently public',
  'reindex database',
  'reindex system',
  'vacuum',
  '; ;vacuum',
  'vacuum (analyze) deeds',
  'analyze deeds',
  'cluster',
  'cluster verbose',
  'cluster deeds using old',
  'create database made_by_batch',
  'drop database if exists made_by_batch',
  "create tablespace made location '/nowhere'",
  'drop tablespace if exists made',
  "alter system set work_mem = '5MB'",
  'alter database postgres set tablespace pg_default',
  "alter database postgres set work_mem = '5MB'",
  'alter table parted detach partition part concurrently',
  'alter table parted detach partition part',
  "create subscription made connection 'host=nowhere.invalid' publication p",
  "create subscription made connection 'host=nowhere.invalid' publication p with (connect = false, slot_name = none)",
  'drop subscription if exists made',
  'call commits()',
  'call writes()',
  "do $$ begin insert into deeds values ('done'); commit; end $$",
  "do $$ begin insert into deeds values ('done'); end $$",
  'discard all',
] as const

/** What they could have left behind. */
const TRACES = `
  select (select string_agg(relname, ',' order by relname) from pg_class
      where relnamespace = 'public'::regnamespace) as relations,
    (select string_agg(datname, ',' order by datname) from pg_database
      where datname = 'made_by_batch') as databases,
    (select count(*)::int from pg_inherits) as partitions,
    (select count(*)::int from pg_subscription) as subscriptions,
    (select count(*)::int from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase
      where d.datname = 'postgres') as settings,
    (select count(*)::int from deeds) as deeds`

describe.each([
  ['Postgres', postgres],
  ['PgBouncer', pgbouncer],
] as const)('a batch is all or nothing on %s', (_name, target) => {
  describe.skipIf(!target)('of the test bed', () => {
    let bed: TestDatabase
    beforeAll(async () => {
      bed = await createTestDatabase()
    })
    afterAll(async () => {
      await bed.sql`drop subscription if exists made`
      await bed[Symbol.asyncDispose]()
    })
    beforeEach(async () => {
      await bed.sql`drop subscription if exists made`
      await bed.sql.unsafe(`
        drop table if exists deeds, parted, part;
        create table deeds (name text);
        create index old on deeds (name);
        create table parted (n int) partition by list (n);
        create table part partition of parted for values in (1);
        create or replace procedure commits() language plpgsql as
          $$ begin insert into deeds values ('committed'); commit; end $$;
        create or replace procedure writes() language plpgsql as
          $$ begin insert into deeds values ('written'); end $$`)
    })
    const open = (): Scope =>
      createDatabase({ url: bed.url(target ?? postgres), guard: 'off' }).scope()

    /** What the server says to a statement that is not the first of its transaction. */
    const verdict = async (text: string): Promise<string | undefined> => {
      const undone = new Error('undone')
      const code = await bed.sql
        .begin(async (sql) => {
          await sql`select 1`
          await sql.unsafe(text)
          throw undone
        })
        .catch((error: unknown) =>
          error === undone ? undefined : String(Reflect.get(error as object, 'code')),
        )
      return code
    }

    it.each(STATEMENTS)('whatever comes first: %s', async (text) => {
      const expected = await verdict(text)
      const [before] = await bed.sql.unsafe(TRACES)
      await using scope = open()
      const failure = await scope
        .batch((sql) => [sql.unsafe(text), sql`select 1 / ${0}::int`])
        .then(
          () => 'fulfilled',
          (error: unknown) => Reflect.get(error as object, 'code'),
        )
      expect(failure).toBe(expected ?? '22012')
      const [after] = await bed.sql.unsafe(TRACES)
      expect(after).toEqual(before)
      const alone = await scope
        .batch((sql) => [sql.unsafe(text)])
        .then(
          () => undefined,
          (error: unknown) => Reflect.get(error as object, 'code'),
        )
      expect(alone).toBe(expected)
    })

    it('may shape its transaction first', async () => {
      await using scope = open()
      const [, [row]] = await scope.batch((sql) => [
        sql`set transaction isolation level serializable, read only`,
        sql`select current_setting('transaction_isolation') as isolation`,
      ])
      expect(row).toEqual({ isolation: 'serializable' })
      const [next] = await scope.sql`select current_setting('transaction_isolation') as isolation`
      expect(next).toEqual({ isolation: 'read committed' })
    })

    it('says what to do instead', async () => {
      await using scope = open()
      await expect(scope.batch((sql) => [sql`vacuum deeds`, sql`select 1`])).rejects.toMatchObject({
        code: '25001',
        message: expect.stringContaining('by itself'),
      })
      expect(scope.metrics.queries).toBe(0)
    })
  })
})
