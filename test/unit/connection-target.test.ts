import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { ConnectionTarget, isLoopbackHost } from '../../src/connection-target.ts'

const open = (): ConnectionTarget =>
  new ConnectionTarget({
    host: '::1',
    port: 6543,
    user: 'a@b',
    password: 'hunter2',
    database: 'c/d',
    ignored: [],
  })

describe('ConnectionTarget', () => {
  it('prints as a connection string with the password masked', () => {
    expect(String(open())).toBe('postgres://a%40b:***@[::1]:6543/c%2Fd')
    expect(JSON.stringify({ target: open() })).toBe(
      '{"target":"postgres://a%40b:***@[::1]:6543/c%2Fd"}',
    )
  })

  it.each([{}, { showHidden: true }, { showHidden: true, getters: true, customInspect: false }])(
    'keeps the password from an inspector with %j',
    (options) => {
      expect(inspect(open(), { depth: 9, ...options })).not.toContain('hunter2')
    },
  )

  it('keeps the password from copies', () => {
    expect(JSON.stringify([{ ...open() }, structuredClone(open())])).not.toContain('hunter2')
  })

  it('gives the password to who asks for it', () => {
    expect(open().revealPassword()).toBe('hunter2')
  })
})

describe('isLoopbackHost()', () => {
  it.each([
    'localhost',
    'LOCALHOST',
    'app.localhost',
    'localhost.',
    '127.0.0.1',
    '127.9.8.7',
    '::1',
  ])('is true for %s', (host) => expect(isLoopbackHost(host)).toBe(true))

  it.each([
    '',
    'localhost.example.com',
    'mylocalhost',
    '128.0.0.1',
    '127.0.0.1.example.com',
    '::2',
  ])('is false for %j', (host) => expect(isLoopbackHost(host)).toBe(false))
})
