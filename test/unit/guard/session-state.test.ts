import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findSessionState } from '../../../src/guard/session-state.ts'

/** Statements that leave something behind, or need to find it. */
const STATEFUL: readonly [string, string][] = [
  ['set statement_timeout = 5', 'setting'],
  ["set session search_path to 'a'", 'setting'],
  ["set time zone 'utc'", 'setting'],
  ["set names 'utf8'", 'setting'],
  ["set local . tenant = 'x'", 'setting'],
  ["set session . tenant to 'x'", 'setting'],
  ["set transaction . tenant to 'x'", 'setting'],
  ['set role anon', 'setting'],
  ['set session authorization default', 'setting'],
  ['set "app.tenant" = 1', 'setting'],
  ["select set_config('a.b', $1, false)", 'setting'],
  ["select set_config('a.b', concat('x', (1 + 2)), 'off'::bool)", 'setting'],
  ["select pg_catalog.set_config('a.b', 'x', false) from t", 'setting'],
  ['set session characteristics as transaction read only', 'characteristics'],
  ['reset all', 'reset'],
  ['reset role', 'reset'],
  ['discard all', 'reset'],
  ["select set_config('a.b', 'x', null)", 'setting'],
  ["select set_config('a.b', 'x', (false))", 'setting'],
  ["select set_config('a.b', 'x', not true)", 'setting'],
  ["select set_config('a.b', 'x', cast('f' as bool))", 'setting'],
  ["select set_config('a.b', 'x', is_local => false)", 'setting'],
  ["select set_config(is_local := false, setting_name := 'a.b', new_value := 'x')", 'setting'],
  ["update pg_settings set setting = 'x'", 'setting'],
  ["update only (pg_settings) set setting = 'x'", 'setting'],
  ["update only ( a . pg_catalog . pg_settings ) set setting = 'x'", 'setting'],
  [`select set_config('a.b', array[${'1,'.repeat(150)} 1]::text, false)`, 'setting'],
  ['listen jobs', 'listen'],
  ['unlisten *', 'listen'],
  ['select pg_advisory_lock(1)', 'advisory-lock'],
  ['select "pg_advisory_lock"(1)', 'advisory-lock'],
  ['select pg_catalog.pg_advisory_lock(1)', 'advisory-lock'],
  ['select pg_try_advisory_lock($1, $2)', 'advisory-lock'],
  ['select pg_advisory_lock_shared(1)', 'advisory-lock'],
  ['select pg_try_advisory_lock_shared(1)', 'advisory-lock'],
  ['select pg_advisory_unlock(1)', 'advisory-lock'],
  ['select pg_advisory_unlock_all()', 'advisory-lock'],
  ['select pg_advisory_unlock_shared(1)', 'advisory-lock'],
  ['insert into t select 1 where pg_try_advisory_lock(1)', 'advisory-lock'],
  ['create table t as select pg_advisory_lock(1)', 'advisory-lock'],
  ['prepare p as select 1', 'prepared-statement'],
  ['prepare p (int) as select $1', 'prepared-statement'],
  ['execute p(1)', 'prepared-statement'],
  ['deallocate all', 'prepared-statement'],
  ['create temp table t (n int)', 'temporary-object'],
  ['create temporary table if not exists t (n int) on commit delete rows', 'temporary-object'],
  ['create local temp table t as select 1', 'temporary-object'],
  ['create global temporary table t (n int) on commit preserve rows', 'temporary-object'],
  ['create temp view v as select 1', 'temporary-object'],
  ['create or replace temporary view v as select 1', 'temporary-object'],
  ['create temp sequence s', 'temporary-object'],
  ['create table pg_temp.t (n int)', 'temporary-object'],
  ['create table a . pg_temp . t (n int)', 'temporary-object'],
  ['create statistics pg_temp.s on a, b from t', 'temporary-object'],
  ['create function pg_temp.f() returns int language sql as $$ select 1 $$', 'temporary-object'],
  ['select 1 into temp t', 'temporary-object'],
  ['with a as (select 1) select * into temporary table t from a', 'temporary-object'],
  ['declare c cursor with hold for select 1', 'held-cursor'],
  ['declare c binary insensitive no scroll cursor with hold for select 1', 'held-cursor'],
  ["load 'auto_explain'", 'library'],
  ['select 1 into local temp t', 'temporary-object'],
  ['select 1 into global temporary table t', 'temporary-object'],
  ['select 1 into pg_temp . t', 'temporary-object'],
  ['select 1 into table pg_temp.t', 'temporary-object'],
  ['explain analyze create temp table t as select 1', 'temporary-object'],
  [
    "explain (analyze) create materialized view m as select set_config('a.b', 'x', false)",
    'setting',
  ],
  ['explain (costs off, analyze) create temp table t as select 1', 'temporary-object'],
  ['explain (verbose) execute p', 'prepared-statement'],
  ['create table t as execute p', 'prepared-statement'],
]

/** Statements that look alike and leave nothing. */
const STATELESS = [
  'set local statement_timeout = 5',
  'set local role anon',
  'set local local.tenant = 5',
  'set local session . tenant = 5',
  'update only (mine.pg_settings) set setting = 1',
  `select set_config('a.b', array[${'1,'.repeat(150)} 1]::text, true)`,
  `select set_config('a.b', array[${'1,'.repeat(150)} 1]::text, $1)`,
  'set transaction isolation level serializable',
  'set constraints all deferred',
  "select set_config('a.b', 'false', true)",
  "select set_config('a.b', 'x', $1)",
  "select other.set_config('a.b', 'x', false)",
  'select pg_advisory_xact_lock(1)',
  'select pg_try_advisory_xact_lock(1)',
  'select pg_advisory_xact_lock_shared(1)',
  'select mine.pg_advisory_lock(1)',
  'select pg_advisory_lock from locks',
  'drop function pg_advisory_lock(int)',
  'grant execute on function pg_advisory_lock(bigint) to anon',
  'update t set a = 1, b = 2',
  'insert into t values (1) on conflict (a) do update set b = 1',
  'insert into temp values (1)',
  'with a as (insert into temp values (1) returning *) select * from a',
  'select 1 into t',
  'select * from a into_temp',
  'select "into" "temp" from t',
  'create temp table t (n int) on commit drop',
  'create temporary table t on commit drop as select 1',
  'create table temp (n int)',
  'create table pg_tempo.t (n int)',
  "create materialized view m as select set_config('a.b', 'x', false)",
  'create table t as select a.pg_temp.b from a',
  'declare c cursor for select 1',
  'declare c cursor without hold for select 1',
  'prepare transaction $$x$$',
  'alter role a set search_path = b',
  'alter database a reset all',
  'alter table t reset (fillfactor)',
  'create function f() returns int language sql set search_path = a as $$ select 1 $$',
  'do $$ begin perform pg_advisory_lock(1); end $$',
  'create rule r as on insert to t do (update a set b = 1; update c set d = 2)',
  'notify jobs',
  'insert into listen (a) values (1)',
  'select * from listen',
  'update reset set discard = 1, load = 2',
  'select load, hold, temp from metrics where prepare = execute',
  'create table if not exists template (id int)',
  'create extension if not exists "uuid-ossp"',
  'with temp as (select 1) select * from temp',
  'alter table t set (autovacuum_enabled = false)',
  'alter table t alter column a set default 1',
  "comment on table t is 'set x = 1'",
  'create policy p on t using (true)',
  'explain analyze select 1',
  'explain select pg_advisory_lock(1)',
  'explain (analyze off) create temp table t as select 1',
  'explain analyze declare c cursor with hold for select 1',
  'create function f() returns int language sql begin atomic; select pg_advisory_lock(1); select 1; end',
  'create or replace procedure p() begin atomic select case a when 1 then 2 end; set x = 1; end',
  'set session transaction read only',
  "select set_config('a.b', 'x', is_local => true)",
  "select set_config(is_local := true, setting_name := 'a.b', new_value := 'false')",
  "select set_config('a.b', 'x', (true)::bool)",
  "select set_config('a.b', 'x', $1::bool)",
  'select 1 for update of pg_settings',
  'create index on pg_temp.t (n)',
  'import foreign schema a from server b into temp',
  'insert into pg_temp.t values (1)',
  'merge into t using s on true when matched then update set a = 1',
  'create index i on t (a) where temp',
  "select jsonb_set('{}', '{a}', 'false')",
  "select set_config('a.b', 'x', is_local => true)",
  'create materialized view m as select 1 as temp',
  'create trigger t after insert on a execute function f()',
  'select * from a join b using (load) order by set_at',
  'insert into t (listen) select discard from s',
  'create or replace view v as select 1',
  'create unique index on temp (reset)',
  'delete from t where temp is null',
  "select current_setting('role'), setting from pg_settings",
  'copy temp from stdin',
  'truncate temp',
  'select a.load from a into_temp',
  'values (1)',
  'call load()',
  'lock table temp in share mode',
  'fetch 1 from c',
  'begin',
  'select 1',
  '',
  ';;',
]

const SPACES = fc.constantFrom(
  ' ',
  '\n',
  '\t',
  '\r\n',
  '\f',
  ' -- set x = 1\n',
  '/* set x = 1; /* nested */ */',
)

/** Another casing and spacing of the same statement. */
function dressed(text: string): fc.Arbitrary<string> {
  const words = text.split(/( |(?<=\()|(?=\()|(?<=,)|(?=,))/).filter((word) => word.trim() !== '')
  const spaces = fc.array(SPACES, { minLength: words.length + 1, maxLength: words.length + 1 })
  const casings = fc.array(fc.boolean(), { minLength: text.length, maxLength: text.length })
  return fc.tuple(spaces, casings).map(([between, upper]) => {
    const cased = words.map((word, n) =>
      /['"$]/.test(word) || word.includes('::') ? word : recase(word, upper, n),
    )
    return `${between[0]}${cased.map((word, n) => word + between[n + 1]).join('')}`
  })
}

function recase(word: string, upper: readonly boolean[], from: number): string {
  return [...word].map((letter, n) => (upper[from + n] ? letter.toUpperCase() : letter)).join('')
}

/** A harmless statement in which a text lies where it is not read as SQL. */
function hidden(text: string): fc.Arbitrary<string> {
  return fc.constantFrom(
    `select '${text.replaceAll("'", "''")}'`,
    `select E'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`,
    `select E'\\'' , '; ${text.replaceAll("'", "''")}'`,
    `select $hide$; ${text}$hide$`,
    `select 1 as "; ${text.replaceAll('"', '""')}"`,
    `/* ; ${text} */ select 1`,
    `select 1 /* /* ${text} */ ; ${text} */`,
    `-- ${text.replaceAll('\n', ' ')}\nselect 1`,
  )
}

describe('findSessionState', () => {
  it.each(STATEFUL)('findSessionState finds %j', (text, state) => {
    expect(findSessionState(text).state).toBe(state)
  })

  it.each(STATELESS)('findSessionState finds nothing in %j', (text) => {
    expect(findSessionState(text).state).toBeUndefined()
  })

  it('misses none in any casing and spacing, as any of several statements', () => {
    const stateful = fc.constantFrom(...STATEFUL)
    const others = fc.array(fc.constantFrom(...STATELESS), { maxLength: 3 })
    const cases = fc
      .tuple(stateful, others, others)
      .chain(([[text, state], before, after]) =>
        dressed(text).map((one) => ({ text: [...before, one, ...after].join(';'), state })),
      )
    fc.assert(
      fc.property(cases, ({ text, state }) => {
        expect(findSessionState(text).state, text).toBe(state)
      }),
      { seed: 6, numRuns: 3_000 },
    )
  })

  it('gives no false alarm for what is said in texts, names and comments', () => {
    const said = fc.oneof(
      fc.constantFrom(...STATEFUL.map(([text]) => text)),
      fc.string({ unit: fc.constantFrom('set a=1;', "'", '"', '\\', '$', '$$', '--', '\n', ' ') }),
    )
    const cases = said
      .filter((text) => !text.includes('*/') && !text.includes('/*') && !text.includes('$hide$'))
      .chain((text) => fc.tuple(hidden(text), fc.constantFrom(...STATELESS)))
    fc.assert(
      fc.property(cases, ([text, other]) => {
        expect(findSessionState(text).state, text).toBeUndefined()
        expect(findSessionState(`${text}\n; ${other}`).state, text).toBeUndefined()
      }),
      { seed: 7, numRuns: 3_000 },
    )
  })

  it('reads anything to its end', () => {
    const pieces = fc.constantFrom(
      ...[
        'u&',
        "'",
        '"',
        '\\',
        '\\+ffffff',
        '\\d800',
        'uescape',
        "'!'",
        '(',
        ')',
        'explain',
        'analyze',
      ],
      ...[
        'set_config',
        'set',
        '.',
        ',',
        ' ',
        '\n',
        'cast',
        '::',
        'into',
        'temp',
        'begin atomic',
        ';',
        '$1',
      ],
    )
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 20 }), (all) => {
        expect(findSessionState(all.join(''))).toBeDefined()
        expect(findSessionState(all.join(' '))).toBeDefined()
      }),
      { seed: 9, numRuns: 5_000 },
    )
  })
})
