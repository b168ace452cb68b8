import { describe, expect, it } from 'vitest'
import { ReadingEnd } from '../../../src/wire/reading-end.ts'

const BEGIN = 'begin isolation level repeatable read read only'

const MATTERS = [
  'set transaction read write',
  'SET LOCAL transaction_read_only=off',
  'set/**/session characteristics as transaction read write',
  'set local u&"tr\\0061nsaction_isolation" = serializable',
  'select 1; set transaction isolation level serializable',
  'reset all',
  "select pg_catalog.set_config('x', 'y', true)",
  "update pg_settings set setting = 'off'",
  'do $$begin end$$',
  'call work()',
  "notify somebody, 'something'",
  "select pg_notify('somebody', 'something')",
]

const DOES_NOT = [
  'select 1',
  'select * from transactions order by n offset 10 limit 10',
  "set local statement_timeout = '5s'",
  'select called, done, presets from transactions',
]

describe('the end of a transaction that was begun to read', () => {
  it.each(MATTERS)('matters behind %j', (text) => {
    const end = new ReadingEnd(BEGIN)
    end.look('select 1')
    end.look(text)
    end.look('select 1')
    expect(end.matters).toBe(true)
  })

  it.each(DOES_NOT)('does not matter behind %j', (text) => {
    const end = new ReadingEnd(BEGIN)
    end.look(text)
    expect(end.matters).toBe(false)
  })

  it('matters as long as the isolation is not known', () => {
    expect(new ReadingEnd('begin read only').matters).toBe(true)
    expect(new ReadingEnd(BEGIN).question).toBeUndefined()
    expect(new ReadingEnd('begin').question).toBeUndefined()
  })
})
