import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { diagnoseConnectionString } from '../../src/connection-findings.ts'
import { parseConnectionString } from '../../src/connection-string.ts'

const SHARED = 'aws-0-eu-west-1.pooler.supabase.com'
const PLACES = [
  `${SHARED}:6543/postgres`,
  `${SHARED}:5432/postgres?pgbouncer=true`,
  'db.abcdefghijklmnopqrst.supabase.co:5432/postgres',
  'db.abcdefghijklmnopqrst.supabase.co:6543/postgres',
  'db.abcdefghijklmnopqrst.supabase.co',
  'ep-cool-name-123456-pooler.eu-central-1.aws.neon.tech/app?sslmode=require&channel_binding=require',
  'ep-cool-name-123456.eu-central-1.aws.neon.tech/app',
  '0123456789abcdef0123456789abcdef.hyperdrive.local:5432/app',
  'localhost:6543/app',
  '127.0.0.1/app',
  '[::1]:5432/app',
  'database.example.com:6432/app?application_name=me@work',
  'database.example.com/app?application_name=me@localhost',
  'database.example.com/app?team=me@work',
]

/**
 * What stays ambiguous, and is therefore left out: `%41` in an unescaped password reads as `A`.
 * Nothing else of this alphabet is, in front of the places above; a run that is no UTF-8 (`%bb`)
 * is literal and stays in.
 */
const unambiguous = (password: string): boolean =>
  (password.match(/(?:%[0-9a-f]{2})+/gi) ?? []).every((run) => {
    try {
      return decodeURIComponent(run) === run
    } catch {
      return true
    }
  })

const nasty = fc
  .string({
    unit: fc.constantFrom(...'ab19@#%/?:&=+,;.-_~|<>()[]{}!$^* \t\'"`\\ü€😀'),
    minLength: 1,
    maxLength: 24,
  })
  .filter(unambiguous)

/** Everything that a target, an error or a finding can be turned into. */
const shownBy = (value: unknown): string =>
  [
    String(value),
    JSON.stringify(value),
    JSON.stringify({ ...Object(value) }),
    inspect(value, { showHidden: true, depth: 9 }),
    inspect(value, { showHidden: true, getters: true, customInspect: false, depth: 9 }),
    value instanceof Error ? `${value.message}${value.stack}` : '',
  ].join('\n')

const refusalOf = (text: string): unknown => {
  try {
    parseConnectionString(text)
  } catch (error) {
    return error
  }
  throw new Error('parsed')
}

describe('splitConnectionString()', () => {
  it.each(PLACES)('gives back any unescaped password in front of %s', (place) => {
    fc.assert(
      fc.property(nasty, (password) => {
        const target = parseConnectionString(`postgresql://some.user:${password}@${place}`)
        expect(target.revealPassword()).toBe(password)
        expect(target.user).toBe('some.user')
        expect(place.startsWith(target.host) || place.startsWith(`[${target.host}]`)).toBe(true)
      }),
      { seed: 1, numRuns: 500 },
    )
  })

  it.each(PLACES)('gives back any encoded password in front of %s', (place) => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (text) => {
        const password = text.replaceAll('\0', '')
        const encoded = encodeURIComponent(password)
        const target = parseConnectionString(`postgres://some.user:${encoded}@${place}`)
        expect(target.revealPassword()).toBe(password)
      }),
      { seed: 2, numRuns: 500 },
    )
  })

  it('gives back an unescaped password in front of a bare host that nobody knows', () => {
    // `@a:1/` and `@a/` in it look like a host of their own, with a port or a path.
    const password = nasty.filter((text) => !/@[^@:/?#]+[:/]/.test(text))
    fc.assert(
      fc.property(password, fc.constantFrom('myhost', 'db.internal'), (secret, host) => {
        const target = parseConnectionString(`postgres://u:${secret}@${host}`)
        expect({ host: target.host, password: target.revealPassword() }).toEqual({
          host,
          password: secret,
        })
      }),
      { seed: 5, numRuns: 2000 },
    )
  })

  it.each(['p@a/b', 'p@a:1/b', 'p@a/b?c=d', 'p@a:1?b', 'p@a/b #c'])(
    'gives back %s in front of a bare host that we know',
    (password) => {
      const target = parseConnectionString(`postgres://u:${password}@ep-a.eu.aws.neon.tech`)
      expect(target.host).toBe('ep-a.eu.aws.neon.tech')
      expect(target.revealPassword()).toBe(password)
    },
  )

  it('never shows the password, nor a piece of it', () => {
    fc.assert(
      fc.property(fc.constantFrom(...PLACES), nasty, (place, inner) => {
        const text = `postgres://some.user:Q7q${inner}Zq9@${place}`
        const shown = shownBy(parseConnectionString(text)) + shownBy(diagnoseConnectionString(text))
        expect(shown).not.toMatch(/Q7q|Zq9/)
      }),
      { seed: 3, numRuns: 1000 },
    )
  })

  it('never shows the password in a refusal, nor a piece of it', () => {
    const broken = fc.constantFrom(
      'host:port/d',
      'host:99999/d',
      'h1,h2/d',
      'h1:1,h2:2/d',
      '[YOUR-HOST]:5432/d',
      'h"o"st/d',
      '/d',
      '%2Fvar%2Frun/d',
      'host/d?sslmode=on',
      'host/d?sslmode=require\nDIRECT_URL=postgres://u:p@host/d',
      'host/d postgres://u:p@host/d',
      'host/d%00',
    )
    fc.assert(
      fc.property(broken, nasty, (place, inner) => {
        const text = `postgres://u:Q7q${inner.replaceAll('@', '!')}Zq9@${place}`
        const error = refusalOf(text)
        expect(error).toMatchObject({ code: 'ERR_URL_INVALID', hint: expect.any(String) })
        expect(shownBy(error) + shownBy(diagnoseConnectionString(text))).not.toMatch(/Q7q|Zq9/)
      }),
      { seed: 6, numRuns: 1000 },
    )
  })

  it('takes an @ in front of a host that cannot be read for no host at all', () => {
    expect(refusalOf('postgres://u:p@ss/x@host:abc/d')).toMatchObject({
      message: expect.stringMatching(/port/),
    })
    expect(refusalOf('postgres://u:p@ss/x@h1,h2/d')).toMatchObject({
      message: expect.stringMatching(/several hosts/),
    })
  })

  it.each([
    'postgresql://localhost/db?user=me&password=p@ss',
    'postgresql://localhost:5432/db?user=me&password=p@ss',
    'postgresql:///db?user=me&password=secret',
  ])('refuses %s, which has its user behind the question mark', (text) => {
    expect(refusalOf(text)).toMatchObject({ message: expect.stringMatching(/behind the \?/) })
  })

  it('lists no name that may be a piece of a password in the parameters', () => {
    const text = 'postgres://u@h/d?password=se&cr=et&connect_timeout=5'
    const { ignored } = parseConnectionString(text)
    expect(ignored).toEqual(['password', 'connect_timeout'])
    expect(JSON.stringify(diagnoseConnectionString(text))).not.toMatch(/\bcr\b/)
  })

  it.each([undefined, null, 42, {}])('refuses %s, which is no text', (value) => {
    const text = value as unknown as string
    expect(refusalOf(text)).toMatchObject({ code: 'ERR_URL_INVALID' })
    expect(diagnoseConnectionString(text)).toMatchObject([{ code: 'unparsable', level: 'error' }])
  })

  it.each([
    ['', /does not begin with postgres/],
    ['mysql://u:p@h/d', /does not begin with postgres/],
    ['https://abc.supabase.co', /Transaction pooler/],
    ['postgres://h/d', /no user/],
    ['postgres://:p@h/d', /no user/],
    ['postgres://u:p@/d', /no host/],
    ['postgres://u:p@h:0/d', /port/],
    ['postgres://u:p@h:65536/d', /port/],
    ['postgres://u:p@h1,h2:5432/d', /several hosts/],
    ['postgres://u:p@h1:1,h2:2/d', /several hosts/],
    ['postgres://h1,h2/d', /several hosts/],
    ['postgres://u:p@host:54a2/d', /port/],
    ['postgres://u:p@h"o"st/d', /character/],
    ['postgres://u:p@[1234]/d', /character/],
    ['postgres://u:p@aws-0-[region].pooler.supabase.com:6543/d', /character/],
    ['postgres://u/x:p@host/d', /no user/],
    ['postgres:///d?host=/tmp', /socket/],
    ['postgres://u\ud800:p@host/d', /surrogate/],
    ['postgres://u:p@host/d\nDIRECT_URL=x', /line break/],
    ['postgres://u:p@host/d postgres://u:p@host/d', /two connection strings/],
    ['postgres://postgres://u:p@host/d', /two connection strings/],
    ['postgres://u:p@h/d?sslmode=on', /sslmode/],
    ['postgres://u:p%00@h/d', /NUL/],
    ['postgres://u:p\0@h/d', /NUL/],
    [`postgres://u:${'p'.repeat(9000)}@h/d`, /8192/],
    ['postgres://u:p@%2Fvar%2Frun/d?host=/tmp', /socket/],
  ])('refuses %j, and does not quote it', (text, reason) => {
    const parse = (): unknown => parseConnectionString(text)
    expect(parse).toThrow(reason)
    expect(parse).toThrow(expect.objectContaining({ code: 'ERR_URL_INVALID' }))
    try {
      parse()
    } catch (error) {
      if (text.length > 12) expect(inspect(error)).not.toContain(text)
    }
  })
})
