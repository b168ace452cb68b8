import { describe, expect, it } from 'vitest'
import { statementHeads } from '../../../src/wire/statement-heads.ts'

describe('statementHeads', () => {
  it.each<[string, string[] | undefined]>([
    ['select 1', ['select']],
    ['', []],
    [' ; ;; ', []],
    ['SELECT 1; Insert into t values (1);', ['select', 'insert']],
    ["select ';' ; update t set a = 'it''s; so'", ['select', 'update']],
    ['select ";" from ";""; begin"; delete from t', ['select', 'delete']],
    ['-- begin; commit\nselect 1', ['select']],
    ['/* begin; /* nested; */ commit; */ select 1; /**/ end', ['select', 'end']],
    ['do $$ begin; end; $$; select 1', ['do', 'select']],
    ['do $é_1$ $$; $e$; $é_1$; commit', ['do', 'commit']],
    ['(select 1); with a as (select 1) select * from a', ['', 'with']],
    ['select $1, a$b; begin', ['select', 'begin']],
    ['create rule r as on insert to t do (delete from a; delete from b); end', ['create', 'end']],
    [
      'create function f() returns int begin atomic; select case a when 1 then 2 end; select 1 as end; end; commit',
      ['create', 'commit'],
    ],
    ['create or replace procedure p() begin atomic select 1; end; call p()', ['create', 'call']],
    ['begin atomic; commit', ['begin', 'commit']],
    ['create view v as select begin atomic; commit', ['create', 'commit']],
  ])('statementHeads finds the statements of %j', (text, heads) => {
    expect(statementHeads(text)).toEqual(heads)
  })

  it.each([
    "select 'a\\'; begin; select '",
    "select E'\\''; begin",
    "select 'never ends; begin",
    'select "never ends; begin',
    'select $$ never ends; begin',
    'select 1 /* never ends; begin',
  ])('statementHeads does not guess what %j is', (text) => {
    expect(statementHeads(text)).toBeUndefined()
  })
})
