import { describe, expect, it } from 'vitest'
import { DeferredSavepoints, ownSavepoint } from '../../../src/wire/deferred-savepoints.ts'

const ONE = ownSavepoint(1, '')
const TWO = ownSavepoint(2, 'mine')

describe('ownSavepoint', () => {
  it.each([
    ['', '"nullpool 1"'],
    ['mine', '"nullpool 1 mine"'],
    ['my "own"', '"nullpool 1 my ""own"""'],
  ])('quotes the name %j', (name, quoted) => {
    expect(ownSavepoint(1, name)).toBe(quoted)
    expect(new DeferredSavepoints().defer(`savepoint ${quoted}`)).toBe('SAVEPOINT')
    expect(new DeferredSavepoints().defer(`release ${quoted}`)).toBe('RELEASE')
  })
})

describe('DeferredSavepoints', () => {
  it.each(['savepoint "s1"', '  SAVEPOINT\n"a ""b"""  ;  ', `savepoint ${ONE}`])(
    'keeps %j for later',
    (text) => {
      const savepoints = new DeferredSavepoints()
      expect(savepoints.waiting).toBe(false)
      expect(savepoints.defer(text)).toBe('SAVEPOINT')
      expect(savepoints.waiting).toBe(true)
      expect(savepoints.take()).toEqual([text])
      expect(savepoints.waiting).toBe(false)
    },
  )

  it.each([
    'savepoint select',
    'savepoint s1',
    'savepoint ""',
    'savepoint "a" "b"',
    'savepoint "a"; drop table books',
    'savepoint "a" -- said',
    'savepoint "a\0"',
    'release "s1"',
    'release savepoint "nullpool 1"',
    'rollback to "nullpool 1"',
    'release "nullpool"',
    'select \'savepoint "a"\'',
    '',
  ])('leaves %j to the server', (text) => {
    const savepoints = new DeferredSavepoints()
    expect(savepoints.defer(text)).toBeUndefined()
    expect(savepoints.waiting).toBe(false)
  })

  it('keeps what came first before the rest, also behind what was restored', () => {
    const savepoints = new DeferredSavepoints()
    savepoints.defer(`savepoint ${ONE}`)
    const taken = savepoints.take()
    savepoints.defer(`savepoint ${TWO}`)
    savepoints.restore(taken)
    expect(savepoints.take()).toEqual([`savepoint ${ONE}`, `savepoint ${TWO}`])
  })

  it('forgets one in which nothing has happened, and no other', () => {
    const savepoints = new DeferredSavepoints()
    savepoints.defer(`savepoint ${ONE}`)
    savepoints.defer(`savepoint ${TWO}`)
    savepoints.defer(`release ${TWO}`)
    expect(savepoints.take()).toEqual([`savepoint ${ONE}`])
    savepoints.defer(`release ${ONE}`)
    savepoints.defer(`savepoint ${TWO}`)
    expect(savepoints.take()).toEqual([`release ${ONE}`, `savepoint ${TWO}`])
  })

  it.each(['rollback to "a"', 'select 1; ROLLBACK TO a', 'release a', 'select $$ release $$'])(
    'releases none that was open at %j, which may have ended it',
    (text) => {
      const savepoints = new DeferredSavepoints()
      savepoints.look(`savepoint ${ONE}`)
      savepoints.look(text)
      savepoints.look('select 1')
      savepoints.look(`savepoint ${TWO}`)
      expect(savepoints.defer(`release ${ONE}`)).toBe('RELEASE')
      expect(savepoints.take()).toEqual([])
      // What has begun behind it is certain to be there.
      savepoints.defer(`release ${TWO}`)
      expect(savepoints.take()).toEqual([`release ${TWO}`])
    },
  )

  it.each([
    `rollback to ${ONE}`,
    `savepoint ${ONE}`,
    `release ${TWO}`,
    'select released from books',
  ])('releases one behind %j', (text) => {
    const savepoints = new DeferredSavepoints()
    savepoints.look(text)
    savepoints.defer(`release ${ONE}`)
    expect(savepoints.take()).toEqual([`release ${ONE}`])
  })
})
