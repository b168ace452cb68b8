import { describe, expect, it } from 'vitest'
import { copiesFromStdin } from '../../../../src/cli/dev/copies-from-stdin.ts'

describe('copiesFromStdin', () => {
  it.for([
    'copy t from stdin;\n1\n\\.\n',
    'create table t (id int);\nCOPY public.t (id, "from") FROM stdin WITH (format csv);\n1\n',
    'COPY t\n  FROM /* the rows */\n  STDIN;',
    'select 1; copy t from stdin',
  ])('finds it: %j', (text) => {
    expect(copiesFromStdin(text)).toBe(true)
  })

  it.for([
    "insert into notes values ('\ncopy t from stdin;\n')",
    "create function f() returns text language sql as $$\nselect 'x' -- copy t from stdin\n$$",
    'do $x$\nbegin\ncopy t from stdin;\nend\n$x$',
    "-- \ncomment on table t is 'copy t from stdin'",
    '/*\ncopy t from stdin\n*/ select 1',
    'copy t to stdout; select a from stdin',
    "copy t from '/tmp/stdin'",
  ])('is not taken in by %j', (text) => {
    expect(copiesFromStdin(text)).toBe(false)
  })
})
