import { describe, expect, it } from 'vitest'
import { changesMeaning } from '../../../src/wire/changes-meaning.ts'

describe('changesMeaning', () => {
  it.each([
    'set local role authenticated',
    'SET LOCAL ROLE "authenticated"',
    'set local search_path to a, b',
    '/* x */ set local "Search_Path" = a -- y',
    "set local schema 'a'",
    "set local names 'UTF8'",
    'set local session authorization alice',
    "set local session_authorization = 'alice'",
    'select 1; set local role x',
    "select set_config('search_path', $1, true)",
    "select set_config('ROLE', $1, true)",
    'select set_config($1, $2, true)',
    "select pg_catalog.set_config('role'::text, 'x', true) from users",
    'select "set_config"(name, value, true) from settings',
    "select set_config('ro' || 'le', 'x', true)",
    "select set_config('ro'\n'le', 'x', true)",
    "select set_config(e'role', 'x', true)",
    'select set_config($$role$$, f(1, (2)), true)',
    "select set_config(setting_name => 'role', new_value => 'x', is_local => true)",
    'create temp table t (n int) on commit drop',
    'create global temporary table t on commit drop as select 1',
  ])('changesMeaning says for a transaction of %j', (text) => {
    expect(changesMeaning(text)).toBe('transaction')
  })

  it.each([
    'set role authenticated',
    'set session role authenticated',
    'set search_path = a',
    "set schema 'a'",
    'set session authorization alice',
    'set session session authorization alice',
    'set local role x; set role y',
    'reset role',
    'reset search_path',
    'reset session authorization',
    'reset all',
    'discard all',
    'discard temp',
    "select set_config('role', 'x', false)",
    "select set_config('role', 'x', $1)",
    "select set_config('role', 'x'",
    "select set_config('role', set_config('app.x', 'y', true), false)",
    'create temp table t (n int)',
    'create or replace temp view v as select 1',
    'create local temporary sequence s',
    'explain analyze create temp table t as select 1',
    'create table pg_temp.t (n int)',
    'select n from "pg_temp".t',
    'create function pg_temp_3.f() returns int language sql as $$ select 1 $$',
    'select 1 as n into temp t',
    'with x as (select 1) select * into local temporary table t from x',
    'do $$ begin set local role x; end $$',
  ])('changesMeaning says for longer of %j', (text) => {
    expect(changesMeaning(text)).toBe('session')
  })

  it.each(['rollback to s1', 'ROLLBACK WORK TO SAVEPOINT s1'])(
    'changesMeaning says that %j takes changes back',
    (text) => {
      expect(changesMeaning(text)).toBe('savepoint')
    },
  )

  it.each([
    'select 1',
    'rollback',
    'update users set role = $1 where id = $2',
    'update users set search_path = $1, names = $2, temp = $3',
    'insert into temp (role, schema) values ($1, $2)',
    'merge into temporary using x on true when matched then do nothing',
    'select temp, role from users -- reset role',
    'select 1 /* set role x; reset all */',
    "select 'set local search_path = a; reset role'",
    'select "set role", reset, discard from settings',
    "select set_config('app.x', $1, true)",
    "select set_config('app.role', 'search_path', true)",
    "select set_config('request.jwt.claims', $1, true), set_config('app.x'::text, 'role', true)",
    "select current_setting('search_path')",
    'show search_path',
    'set local statement_timeout = 5',
    'set session characteristics as transaction read only',
    'set transaction read only',
    'set role.x = 1',
    'reset statement_timeout',
    'discard plans',
    'drop table pg_temp_things',
    'alter role x set search_path = a',
    'alter database d set search_path = a',
    'drop schema temp',
    "create function f() returns int language sql set search_path = '' as $$ select 1 $$",
    'create table temp (role text)',
    'select temp.pg_temp from temp',
    'comment on column users.role is $$ set role $$',
  ])('changesMeaning says nothing of %j', (text) => {
    expect(changesMeaning(text)).toBeUndefined()
  })
})
