import { SETTING_STATEMENTS } from './setting-statements.ts'

/** What a session has before a statement runs, so that taking it away shows too. */
export const KEPT: readonly string[] = [
  "set work_mem = '5MB'",
  "set time zone 'Asia/Kolkata'",
  'do $$ begin end $$',
  "set a.kept = 'kept'",
  "set local.a.b = 'kept'",
  'prepare kept as select 1',
  'create temp table kept_table (n int)',
  'declare kept cursor with hold for select 1',
  'listen kept',
  'select pg_advisory_lock(4711)',
]

/** The tables that statements use. */
export const SCHEMA = `
  drop schema public cascade;
  create schema public;
  create table t (n int);
  create table listen (a int, "set" int, load int, temp int);
  create function twice(n int) returns int immutable language sql as 'select 2 * n';
  create function set_config(a text, b text) returns text language sql as 'select b';
  create function pg_advisory_lock(a text) returns text language sql as 'select a'`

/**
 * What a session has: each of these is one thing that somebody else would find there. Settings of
 * extensions and of users are no rows of \`pg_settings\`.
 */
export const STATE = `
  select jsonb_build_object(
    'settings', (select jsonb_object_agg(name, setting) from pg_settings
      where source = 'session' and name !~ '^transaction_'),
    'own', (select jsonb_agg(nullif(current_setting(name, true), '')) from unnest(array[
      'a.b', 'a.kept', 'local.b', 'local.a.b', 'session.b', 'characteristics.b', 'transaction.b',
      'constraints.b', 'role.b', 'time.b']) as name),
    'roles', jsonb_build_array(current_user, session_user),
    'locks', (select jsonb_agg(jsonb_build_array(classid, objid, mode) order by classid, objid, mode)
      from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()),
    'statements', (select jsonb_agg(name order by name) from pg_prepared_statements),
    'cursors', (select jsonb_agg(name order by name) from pg_cursors where name <> ''),
    'channels', (select jsonb_agg(channel order by channel) from pg_listening_channels() as channel),
    'temporary', (select jsonb_agg(name order by name) from (
      select relname as name from pg_class where relnamespace = pg_my_temp_schema()
      union all select proname from pg_proc where pronamespace = pg_my_temp_schema()
      union all select typname from pg_type where typnamespace = pg_my_temp_schema()
      union all select oprname from pg_operator where oprnamespace = pg_my_temp_schema()
      union all select stxname from pg_statistic_ext where stxnamespace = pg_my_temp_schema()
    ) as made),
    'libraries', (select count(*) from pg_settings)
  ) as state`

/** Statements that the server takes; what they do to a session is for the server to say. */
export const STATEMENTS: readonly string[] = [
  ...SETTING_STATEMENTS,
  // Advisory locks.
  'select pg_advisory_lock(1)',
  'select pg_advisory_lock (1)',
  'select PG_ADVISORY_LOCK(1, 2)',
  'select * from pg_advisory_lock(1)',
  'select pg_catalog.pg_advisory_lock(1)',
  'select this_database.pg_catalog.pg_advisory_lock(1)',
  `select "pg_catalog"."pg_advisory_lock"(1)`,
  `select U&"pg_advisory_lock"(1)`,
  `select U&"pg!005fadvisory_lock" uescape '!' (1)`,
  'select pg_try_advisory_lock_shared(1)',
  'select pg_advisory_unlock(4711)',
  'select pg_advisory_unlock_all()',
  'values (pg_advisory_lock(1))',
  'insert into t select 1 where pg_try_advisory_lock(1)',
  'insert into t values (1); delete from t where pg_try_advisory_lock(1)',
  'copy (select pg_advisory_lock(1)) to stdout',
  'create table made as select pg_try_advisory_lock(1)',
  'create unlogged table made as select pg_try_advisory_lock(1)',
  'create materialized view made as select pg_try_advisory_lock(1)',
  'insert into t values (1); alter table t alter n type int using pg_try_advisory_lock(1)::int',
  'insert into t values (1); alter table t add m bool default pg_try_advisory_lock(1)',
  'create view made as select pg_try_advisory_lock(1)',
  'create function made() returns int language sql begin atomic; select pg_advisory_lock(1); select 1; end',
  'create function made() returns int language sql begin atomic select case when true then 1 else 2 end; select pg_advisory_lock(1); select 1; end; select 1',
  "create function made() returns int language sql begin atomic select 1; end; set work_mem = '1MB'",
  "create or replace procedure made() language sql begin atomic insert into t values (1); select 1 as end; delete from t; end; set work_mem = '1MB'",
  "create function made() returns void language plpgsql set work_mem = '1MB' as $$ begin perform pg_advisory_lock(1); end $$",
  'create policy made on t using (pg_try_advisory_lock(1))',
  'grant execute on function pg_catalog.pg_advisory_lock(bigint) to public',
  'select pg_advisory_xact_lock(1)',
  'select pg_try_advisory_xact_lock_shared(1)',
  "select public.pg_advisory_lock('x')",
  'select pg_advisory_lock from (select 1 as pg_advisory_lock) x where (1 = 1)',
  "select 'pg_advisory_lock(1)'",
  "select obj_description('pg_advisory_lock(bigint)'::regprocedure)",
  // Listening, preparing, loading.
  'listen jobs',
  'LISTEN "jobs"',
  'select pg_sleep(0); listen jobs',
  'unlisten *',
  'unlisten kept',
  'notify jobs',
  "select pg_notify('jobs', 'x')",
  'create rule made as on insert to t do also notify jobs',
  'create rule made as on insert to t do also (notify jobs; notify others)',
  'prepare p as select 1',
  'PREPARE "p" AS SELECT 1',
  'prepare p (int) as select $1',
  'execute kept',
  'explain execute kept',
  'explain analyze execute kept',
  'explain (verbose) execute kept',
  'create table made as execute kept',
  'create table made as execute kept with no data',
  'deallocate kept',
  'deallocate all',
  'deallocate prepare kept',
  'discard all',
  'discard temp',
  "load 'auto_explain'",
  // Temporary objects.
  'create temp table made (n int)',
  'create temp table made (n int) on commit drop',
  'create temp table made on commit drop as select 1',
  'create temp table made as select 1',
  'create local temporary table made (n int)',
  'create global temp table made (n int) on commit preserve rows',
  'create temp table if not exists made (n int) on commit delete rows',
  'create temp table "on commit drop" (n int)',
  'create temp table made ("on" int, "commit" int, "drop" int)',
  'create table pg_temp.made (n int)',
  'create table if not exists pg_temp.made (n int)',
  'create table "pg_temp" . made (n int)',
  'create table pg_temp.made (n int) on commit drop',
  'create table this_database.pg_temp.made (n int)',
  'create function this_database.pg_temp.made() returns int language sql return 1',
  'create type this_database . "pg_temp" . made as (a int)',
  'create table this_database.public.made (n int)',
  'create temp view made as select 1',
  'create or replace temp view made as select 1',
  'create temp recursive view made (n) as select 1',
  'create or replace temp recursive view made (n) as select 1',
  'create view pg_temp.made as select 1',
  'create recursive view pg_temp.made (n) as select 1',
  'create temp sequence made',
  'create sequence pg_temp.made',
  'create sequence if not exists pg_temp.made',
  "create or replace function pg_temp.made() returns int language sql as 'select 1'",
  'create type pg_temp.made as (a int)',
  'create domain pg_temp.made as int',
  'create aggregate pg_temp.made (int) (sfunc = int4pl, stype = int)',
  'create statistics pg_temp.made on a, load from listen',
  'create statistics if not exists pg_temp.made on a, load from listen',
  'create operator pg_temp.@@@@ (leftarg = int, rightarg = int, function = int4pl)',
  'select 1 into temp made',
  'select 1 into temporary table made',
  'select 1 into local temp made',
  'select 1 into local temporary table made',
  'select 1 into global temp made',
  'select 1 into pg_temp.made',
  'select 1 into this_database.pg_temp.made',
  '(select 1 into temp made)',
  'select 1 into table pg_temp.made',
  'select 1 as n into temp table made union select 2',
  'with a as (select 1) select * into temp made from a',
  'select 1 into made',
  'select 1 into unlogged made',
  'select 1 into table made',
  'explain analyze create temp table made as select 1',
  'explain analyze verbose create temp table made as select 1',
  'explain (analyze, verbose) create temp table made as select 1',
  'explain (analyze on, costs off) create table pg_temp.made as select 1',
  'explain (costs off, analyze false) create temp table made as select 1',
  "explain (analyze 'off') create temp table made as select 1",
  'explain create temp table made as select 1',
  'explain analyze select 1 into temp made',
  'explain analyze create temp table made on commit drop as select 1',
  'explain analyze select pg_advisory_lock(1)',
  'explain (verbose, analyse) select pg_advisory_lock(1)',
  'explain select pg_advisory_lock(1)',
  'explain (verbose) select pg_advisory_lock(1)',
  'explain (select pg_advisory_lock(1))',
  "explain analyze select set_config('a.b', 'x', false)",
  "explain analyze update pg_settings set setting = '1MB' where name = 'work_mem'",
  'explain analyze declare c cursor with hold for select 1',
  'explain analyze declare c cursor with hold for select pg_advisory_lock(1)',
  'explain declare c cursor with hold for select 1',
  'insert into pg_temp.kept_table values (1)',
  'create index on pg_temp.kept_table (n); drop index pg_temp.kept_table_n_idx',
  'create table made as select * from pg_temp.kept_table',
  'create table public.pg_temp (n int)',
  'create table public.temp (n int)',
  'create table temp (n int)',
  'create table made as select pg_temp.n from t as pg_temp',
  'create unlogged table made (n int)',
  'create statistics made on a, load from listen',
  'create unique index made on listen (temp)',
  'create index made on t (twice(n)) where n > 0',
  // Cursors.
  'declare c cursor with hold for select 1',
  'declare c binary insensitive no scroll cursor with hold for select 1',
  'declare c cursor for select 1',
  'declare c cursor without hold for select 1',
  'declare c cursor for with hold as (select 1) select * from hold',
  'declare c cursor for select pg_advisory_lock(1); fetch c',
  'declare "with" cursor for select hold from (select 1 as hold) x',
  // What only looks alike.
  'select "set" from listen',
  'select listen.load from listen',
  'update listen set load = 1, "set" = 1',
  'insert into listen (load) values (1) on conflict do nothing',
  'with load as (select 1) select * from load',
  'select 1 as set, 2 as discard, 3 as prepare, 4 as hold',
  'select a.temp from listen as a where load is null',
  'merge into t using (select 1 as x) s on true when matched then update set n = 1',
  'alter table t set (autovacuum_enabled = false)',
  'alter table t reset (autovacuum_enabled)',
  'alter role anon set work_mem = default',
  'lock table listen in share mode',
  'truncate listen',
]

/** Statements that are refused although, as it happens, nothing stays: it cannot be seen from the text. */
export const CAUTIOUS: readonly string[] = [
  "select set_config('a.b', 'x', not false)",
  `select set_config('a.b', 'x', true${' or true'.repeat(150)})`,
  "select set_config('a.b', 'x', true::pg_catalog.bool)",
  'select case when false then pg_advisory_lock(1) end',
  'create table made (n bool default pg_try_advisory_lock(1))',
  'select pg_advisory_lock(n) from t',
]

/** Statements whose doing cannot be seen from the text: the documentation says so. */
export const UNSEEN: readonly string[] = [
  "do $$ begin perform set_config('work_mem', '1MB', false); end $$",
  "do $$ begin execute 'listen jobs'; end $$",
  "select set_config('a.b', 'x', n = 2) from (values (1)) v(n)",
  'create view made as select pg_try_advisory_lock(1) as n; select n from made',
  'close kept',
]
