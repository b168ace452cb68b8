import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { type Claims, claimSettings, identityOf } from '../../src/claims.ts'

const ROLES = ['anon', 'authenticated']
const RULES = { roles: ROLES, anonymousRole: 'anon' }

function codeOf(claims: unknown, settings: unknown = {}): string {
  try {
    const { key } = identityOf(claimSettings(claims as never, RULES), settings as never)
    return key ? 'taken' : 'taken for nobody'
  } catch (error) {
    expect(String(error)).not.toContain('s3cret')
    return String(Reflect.get(error as object, 'code'))
  }
}

describe('claimSettings', () => {
  it.each([undefined, null, {}, { sub: '1', role: undefined }])(
    'claimSettings takes %j for nobody',
    (claims) => {
      const [json, role] = claimSettings(claims, RULES)
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
    const [json, role] = claimSettings(claims, RULES)
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
    ['what nobody has awaited', Promise.resolve({ role: 'authenticated', name: 's3cret' })],
    ['a Map', new Map([['role', 's3cret']])],
    ['an empty list', []],
    ['a Set', new Set(['s3cret'])],
    ['a Date', new Date(0)],
    ['an Error', new Error('s3cret')],
    ['bytes', new Uint8Array([1])],
    ['Headers', new Headers({ role: 's3cret' })],
    [
      'a class of its own',
      new (class Payload {
        role = 'authenticated'
      })(),
    ],
    ['what inherits its claims', Object.create({ role: 'authenticated' })],
    ['a boxed text', Object('s3cret')],
    ['a proxy of a list', new Proxy([], {})],
    ['true', true],
    ['false', false],
    ['an empty text', ''],
    ['a symbol', Symbol('s3cret')],
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

  it('claimSettings takes plain objects from anywhere', () => {
    expect(codeOf(Object.assign(Object.create(null), { sub: '1' }))).toBe('taken')
    expect(codeOf(runInNewContext("({ sub: '1', role: 'authenticated' })"))).toBe('taken')
    expect(codeOf(Object.freeze(JSON.parse('{"__proto__": {"role": "postgres"}}')))).toBe('taken')
  })

  it('claimSettings takes what an interface describes, and its type nothing that was forgotten', () => {
    interface Payload {
      sub: string
      role?: string
    }
    const payload: Payload = { sub: '1', role: 'authenticated' }
    const taken: Claims[] = [payload, { sub: '1', more: [1] }, {} as Record<string, unknown>]
    expect(taken.map((claims) => codeOf(claims))).toEqual(['taken', 'taken', 'taken'])
    // @ts-expect-error A promise is to be awaited.
    const promised: Claims = Promise.resolve(payload)
    // @ts-expect-error
    const listed: Claims = [payload]
    // @ts-expect-error
    const mapped: Claims = new Map<string, string>()
    // @ts-expect-error
    const made: Claims = () => payload
    // @ts-expect-error
    const text: Claims = 'x'
    const refused = [promised, listed, mapped, made, text].map((claims) => codeOf(claims))
    expect(new Set(refused)).toEqual(new Set(['ERR_CLAIMS']))
  })

  it('claimSettings takes the anonymous role where there is none, wherever it stands in the list', () => {
    const rules = { roles: ['member', 'guest'], anonymousRole: 'guest' }
    for (const claims of [undefined, null, {}, { sub: '1' }]) {
      expect(claimSettings(claims, rules)[1]).toEqual(['role', 'guest'])
    }
    expect(claimSettings({ role: 'member' }, rules)[1]).toEqual(['role', 'member'])
    expect(() => claimSettings({ role: 'anon' }, rules)).toThrow(/not one that requests may have/)
  })

  it('claimSettings refuses what is nested too deeply to write, and identityOf what is to compare', () => {
    for (const around of [(inner: unknown) => ({ inner }), (inner: unknown) => [inner]]) {
      let deep: unknown = 1
      const outcomes = new Set<string>()
      for (let depth = 1; depth <= 8_000; depth += 1) {
        deep = around(deep)
        if (depth % 250 === 0) outcomes.add(codeOf({ role: 'anon', deep }))
      }
      expect([...outcomes]).toEqual(['taken', 'ERR_CLAIMS'])
    }
  })

  it('identityOf refuses settings that are no object of them', () => {
    for (const settings of [null, 7, 'x', ['x'], new Map([['app.tenant', '1']]), () => ({})]) {
      expect(codeOf({ role: 'anon' }, settings), String(settings)).toBe('ERR_OPTIONS')
    }
    expect(codeOf({ role: 'anon' }, Object.assign(Object.create(null), { 'a.b': '1' }))).toBe(
      'taken',
    )
  })

  it('claimSettings tells each claim that functions read alone as JSON says it, and nothing of others', () => {
    const alone = (claims: object): object => {
      const all = claimSettings(claims as never, RULES)
      return Object.fromEntries(all.slice(2))
    }
    const nothing = {
      'request.jwt.claim': '',
      'request.jwt.claim.sub': '',
      'request.jwt.claim.role': 'anon',
      'request.jwt.claim.email': '',
    }
    expect(alone({ aud: 's3cret', aal: 'aal2' })).toEqual(nothing)
    expect(alone({ sub: null, email: undefined })).toEqual(nothing)
    expect(alone({ sub: "it's 1", email: 'a@b.c', role: 'authenticated' })).toEqual({
      'request.jwt.claim': '',
      'request.jwt.claim.sub': "it's 1",
      'request.jwt.claim.role': 'authenticated',
      'request.jwt.claim.email': 'a@b.c',
    })
    expect(alone({ sub: 7, email: false })).toMatchObject({
      'request.jwt.claim.sub': '7',
      'request.jwt.claim.email': 'false',
    })
    expect(alone({ sub: { of: [1] } })).toMatchObject({ 'request.jwt.claim.sub': '{"of":[1]}' })
  })

  it('claimSettings takes nothing from the prototype of objects', () => {
    const polluted = { role: 'authenticated', sub: '1', email: 'x' }
    Object.assign(Object.prototype, polluted)
    try {
      for (const claims of [null, {}]) {
        const [json, role, ...alone] = claimSettings(claims, RULES)
        expect(JSON.parse(json?.[1] ?? '')).toEqual({ role: 'anon' })
        expect([role?.[1], ...alone.map(([, value]) => value)]).toEqual([
          'anon',
          '',
          '',
          'anon',
          '',
        ])
      }
    } finally {
      for (const name of Object.keys(polluted)) Reflect.deleteProperty(Object.prototype, name)
    }
  })

  it('claimSettings takes what only looks like NUL', () => {
    expect(codeOf({ name: '\\u0000' })).toBe('taken')
    expect(codeOf({ name: '\\\\u0000 \\' })).toBe('taken')
    expect(codeOf({ name: '🙂' })).toBe('taken')
  })
})
