import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { diagnoseConnectionString } from '../../src/connection-findings.ts'
import { parseConnectionString, toTransactionMode } from '../../src/connection-string.ts'

const SHARED = 'aws-0-eu-west-1.pooler.supabase.com'
const PLACES = [
  `${SHARED}:6543/postgres`,
  `${SHARED}:5432/postgres?pgbouncer=true`,
  'db.abcdefghijklmnopqrst.supabase.co:5432/postgres',
  'db.abcdefghijklmnopqrst.supabase.co:6543/postgres',
  'ep-cool-name-123456-pooler.eu-central-1.aws.neon.tech/app?sslmode=require&channel_binding=require',
  'ep-cool-name-123456.eu-central-1.aws.neon.tech/app',
  '0123456789abcdef0123456789abcdef.hyperdrive.local:5432/app',
  'localhost:6543/app',
  '127.0.0.1/app',
  '[::1]:5432/app',
  'database.example.com:6432/app?application_name=me@work',
]

/** Unescaped, a percent sign and two digits behind it mean percent-encoding to everybody. */
const unambiguous = (password: string): boolean => !/%[0-9a-f]{2}/i.test(password)
const nasty = fc.string({
  unit: fc.constantFrom(...'ab1@#%/?:&=+[]{}!$^* \'"\\ü€'),
  minLength: 1,
  maxLength: 24,
})

describe('parseConnectionString()', () => {
  it.each(PLACES)('gives back any unescaped password in front of %s', (place) => {
    fc.assert(
      fc.property(nasty.filter(unambiguous), (password) => {
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

  it('never shows the password', () => {
    fc.assert(
      fc.property(fc.constantFrom(...PLACES), nasty.filter(unambiguous), (place, inner) => {
        const password = `Q${inner}Zq9`
        const text = `postgres://some.user:${password}@${place}`
        const target = parseConnectionString(text)
        const shown = [
          String(target),
          JSON.stringify(target),
          JSON.stringify({ ...target }),
          inspect(target, { showHidden: true, getters: true, depth: 9 }),
          JSON.stringify(diagnoseConnectionString(text)),
        ].join('\n')
        expect(shown).not.toContain(password)
      }),
      { seed: 3, numRuns: 500 },
    )
  })

  it.each([
    [`  postgres://u:p@${SHARED}:6543/postgres \n`, 'spaces'],
    [`"postgres://u:p@${SHARED}:6543/postgres"`, 'double quotes'],
    [`'postgres://u:p@${SHARED}:6543/postgres'`, 'single quotes'],
    [`DATABASE_URL="postgres://u:p@${SHARED}:6543/postgres"`, 'a line of .env'],
    [`export DATABASE_URL=postgres://u:p@${SHARED}:6543/postgres`, 'a line of a shell'],
    [`psql 'postgres://u:p@${SHARED}:6543/postgres'`, 'a psql command'],
    [`POSTGRESQL://u:p@${SHARED.toUpperCase()}:6543/postgres`, 'capitals'],
  ])('reads %s (%s)', (text) => {
    const target = parseConnectionString(text)
    const { user, host, port, database } = target
    const password = target.revealPassword()
    const expected = { user: 'u', password: 'p', host: SHARED, port: 6543, database: 'postgres' }
    expect({ user, password, host, port, database }).toEqual(expected)
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

  it('drops every parameter but three', () => {
    const query =
      'sslmode=require&pgbouncer=true&connection_limit=1&statement_timeout=5&application_name=app&workaround=x'
    const target = parseConnectionString(`postgres://u:p@${SHARED}:6543/postgres?${query}`)
    expect(target.ignored).toEqual([
      'pgbouncer',
      'connection_limit',
      'statement_timeout',
      'workaround',
    ])
    expect(target).toMatchObject({ sslMode: 'require', applicationName: 'app' })
  })

  it.each(['options=reference=abc', 'options=reference%3Dabc', 'options=-c%20reference%3Dabc'])(
    'makes the user of the shared pooler from %s',
    (query) => {
      const target = parseConnectionString(`postgres://postgres:p@${SHARED}:6543/postgres?${query}`)
      expect(target).toMatchObject({ user: 'postgres.abc', projectRef: 'abc', ignored: [] })
    },
  )

  it.each([
    [`${SHARED}:6543`, 'supabase-shared', 'transaction'],
    [`${SHARED}:5432`, 'supabase-shared', 'session'],
    ['db.abc.supabase.co:6543', 'supabase-dedicated', 'transaction'],
    ['db.abc.supabase.co:5432', 'supabase-direct', 'direct'],
    ['db.abc.supabase.co', 'supabase-direct', 'direct'],
    ['ep-a-pooler.eu.aws.neon.tech', 'neon-pooler', 'transaction'],
    ['ep-a.eu.aws.neon.tech', 'neon-direct', 'direct'],
    ['0123.hyperdrive.local', 'hyperdrive', 'transaction'],
    ['127.1.2.3:6543', 'loopback', 'unknown'],
    ['localhost.example.com', 'other', 'unknown'],
    ['evilpooler.supabase.com.example', 'other', 'unknown'],
  ])('knows %s as %s in %s mode', (place, provider, mode) => {
    expect(parseConnectionString(`postgres://u:p@${place}/d`)).toMatchObject({ provider, mode })
  })

  it('takes postgres as the database on Supabase, else the user', () => {
    expect(parseConnectionString(`postgres://u.ref:p@${SHARED}`).database).toBe('postgres')
    expect(parseConnectionString('postgres://u:p@localhost').database).toBe('u')
  })
})

describe('toTransactionMode()', () => {
  it.each([
    [
      `postgres://u.r:p@${SHARED}:5432/postgres?x=1`,
      `postgres://u.r:p@${SHARED}:6543/postgres?x=1`,
    ],
    [`postgres://u.r:p@${SHARED}/postgres`, `postgres://u.r:p@${SHARED}:6543/postgres`],
    [`postgres://u.r:p:5432@${SHARED}:5432`, `postgres://u.r:p:5432@${SHARED}:6543`],
  ])('changes the port of %s', (text, expected) => {
    expect(toTransactionMode(text)).toBe(expected)
  })

  it.each([
    `postgres://u.r:p@${SHARED}:6543/postgres`,
    'postgres://u:p@db.abc.supabase.co:5432/postgres',
    'postgres://u:p@localhost:5432/app',
    'postgres://u:p@database.example.com:5432/app',
  ])('leaves %s alone', (text) => {
    expect(toTransactionMode(text)).toBe(text)
  })
})
