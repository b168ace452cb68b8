import { describe, expect, it } from 'vitest'
import { claimSettings } from '../../src/claims.ts'

const ROLES = ['anon', 'authenticated']

function codeOf(claims: unknown): string {
  try {
    claimSettings(claims as never, ROLES)
    return 'taken'
  } catch (error) {
    expect(String(error)).not.toContain('s3cret')
    return String(Reflect.get(error as object, 'code'))
  }
}

describe('claimSettings', () => {
  it.each([undefined, null, {}, { sub: '1', role: undefined }])(
    'claimSettings takes %j for nobody',
    (claims) => {
      const [json, role] = claimSettings(claims, ROLES)
      expect(role).toEqual(['role', 'anon'])
      expect(JSON.parse(json?.[1] ?? '')).toMatchObject({ role: 'anon' })
    },
  )

  it('claimSettings tells the role that it has checked', () => {
    let asked = 0
    const claims = {
      sub: 's3cret',
      get role() {
        asked += 1
        return asked === 1 ? 'authenticated' : 'postgres'
      },
    }
    const [json, role] = claimSettings(claims, ROLES)
    expect(role).toEqual(['role', 'authenticated'])
    expect(JSON.parse(json?.[1] ?? '')).toEqual({ sub: 's3cret', role: 'authenticated' })
  })

  it.each<[string, unknown]>([
    ['another role', { sub: 's3cret', role: 'postgres' }],
    ['a role in other letters', { role: 'Authenticated' }],
    ['a role and SQL', { role: 'authenticated; reset role; --s3cret' }],
    ['a role with a NUL', { role: 'authenticated\0' }],
    ['a role that is a list', { role: ['authenticated'] }],
    ['a role of a prototype', { role: 'constructor' }],
    ['another role by toJSON', { role: 'authenticated', toJSON: () => ({ role: 'postgres' }) }],
    ['a text', 's3cret'],
    ['a token that nobody has read', 'eyJhbGciOiJIUzI1NiJ9.e30.s3cret'],
    ['a list', [{ role: 'authenticated' }]],
    ['a number', 7],
    ['a function', () => 's3cret'],
    ['NUL', { name: 's3cret\0' }],
    ['half a character', { name: 's3cret\ud83d' }],
    ['NUL in a key', { 's3cret\0': 1 }],
    ['a bigint', { n: 1n }],
    ['a circle', Object.assign({ role: 'anon' }, { self: {} as object })],
    ['more than fits', { name: 'x'.repeat(65_536) }],
  ])('claimSettings refuses %s', (what, claims) => {
    if (what === 'a circle') Reflect.set(claims as object, 'self', claims)
    expect(codeOf(claims)).toBe('ERR_CLAIMS')
  })

  it('claimSettings refuses what is nested too deeply to write', () => {
    let deep: object = {}
    for (let level = 0; level < 100_000; level += 1) deep = { deep }
    expect(codeOf({ role: 'anon', deep })).toBe('ERR_CLAIMS')
  })

  it('claimSettings takes what only looks like NUL', () => {
    expect(codeOf({ name: '\\u0000' })).toBe('taken')
    expect(codeOf({ name: '\\\\u0000 \\' })).toBe('taken')
    expect(codeOf({ name: '🙂' })).toBe('taken')
  })
})
