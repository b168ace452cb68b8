import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseConnectionString, toTransactionMode } from '../../src/connection-string.ts'

const SHARED = 'aws-0-eu-west-1.pooler.supabase.com'
describe('parseConnectionString()', () => {
  it.each([
    [`  postgres://u:p@${SHARED}:6543/postgres \n`, 'spaces'],
    [`"postgres://u:p@${SHARED}:6543/postgres"`, 'double quotes'],
    [`'postgres://u:p@${SHARED}:6543/postgres'`, 'single quotes'],
    [`DATABASE_URL="postgres://u:p@${SHARED}:6543/postgres"`, 'a line of .env'],
    [`export DATABASE_URL=postgres://u:p@${SHARED}:6543/postgres`, 'a line of a shell'],
    [`psql 'postgres://u:p@${SHARED}:6543/postgres'`, 'a psql command'],
    [`psql postgres://u:p@${SHARED}:6543/postgres`, 'a psql command without quotes'],
    [`DATABASE_URL="postgres://u:p@${SHARED}:6543/postgres" # pooled, me@work`, 'a comment'],
    [`URL=postgres://u:p@${SHARED}:6543/postgres?sslmode=require # me@work`, 'a comment, bare'],
    [`"DATABASE_URL": "postgres://u:p@${SHARED}:6543/postgres",`, 'a line of JSON'],
    [`DATABASE_URL: postgres://u:p@${SHARED}:6543/postgres`, 'a line of YAML'],
    [`\u201cpostgres://u:p@${SHARED}:6543/postgres\u201d`, 'quotes of a text processor'],
    [`\u200bpostgres://u:p@${SHARED}:6543/postgres\u200b`, 'invisible spaces'],
    [`postgres://u:p@${SHARED}:6543/postgres"`, 'a quote at one end'],
    [`postgres://u:%70@${SHARED}:6543/%70ostgres`, 'percent-encoding'],
    [`POSTGRESQL://u:p@${SHARED.toUpperCase()}:6543/postgres`, 'capitals'],
  ])('reads %s (%s)', (text) => {
    const target = parseConnectionString(text)
    const { user, host, port, database } = target
    const password = target.revealPassword()
    const expected = { user: 'u', password: 'p', host: SHARED, port: 6543, database: 'postgres' }
    expect({ user, password, host, port, database }).toEqual(expected)
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
    // Supavisor takes the whole user for the role where the option names the project.
    ['app.user', 'abc', 'app.user.abc'],
    ['postgres.abc', 'abc', 'postgres.abc'],
    // A user with a reference of its own keeps it.
    ['postgres.abcdefghijklmnopqrst', 'zyxwvutsrqponmlkjihg', 'postgres.abcdefghijklmnopqrst'],
  ])('makes of the user %s and the reference %s the user %s', (user, reference, expected) => {
    const query = `options=reference%3D${reference}`
    const target = parseConnectionString(`postgres://${user}:p@${SHARED}:6543/postgres?${query}`)
    expect(target.user).toBe(expected)
    expect(target.projectRef).toBe(expected.slice(expected.lastIndexOf('.') + 1))
  })

  it('lists options as ignored where anything in them is', () => {
    const shared = `postgres://postgres:p@${SHARED}:6543/postgres`
    const query = '?options=-c%20reference%3Dabc%20-c%20statement_timeout%3D5'
    expect(parseConnectionString(shared + query)).toMatchObject({
      user: 'postgres.abc',
      ignored: ['options'],
    })
    const other = parseConnectionString('postgres://u:p@h/d?options=reference%3Dabc')
    expect(other).toMatchObject({ user: 'u', ignored: ['options'] })
    expect(other.projectRef).toBeUndefined()
  })

  it('bounds the application name to 63 printable characters', () => {
    const query = `?application_name=${'x'.repeat(70)}%00%0a`
    const { applicationName, ignored } = parseConnectionString(`postgres://u:p@h/d${query}`)
    expect({ applicationName, ignored }).toEqual({ applicationName: 'x'.repeat(63), ignored: [] })
  })

  it('takes a user with an @, as Azure has them', () => {
    const text = 'postgres://me@server:p@server.postgres.database.azure.com:5432/app'
    expect(parseConnectionString(text)).toMatchObject({ user: 'me@server' })
  })

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
    expect(parseConnectionString('postgres://u:p@notsupabase.com').database).toBe('u')
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
    [`postgres://u.r:p@${SHARED}:/postgres`, `postgres://u.r:p@${SHARED}:6543/postgres`],
    [
      `postgres://u.r:p@${SHARED}:5432/postgres?application_name=x@${SHARED}`,
      `postgres://u.r:p@${SHARED}:6543/postgres?application_name=x@${SHARED}`,
    ],
    [
      ` export URL="postgres://u.r:p@${SHARED.toUpperCase()}/postgres" # ${SHARED}:5432\n`,
      ` export URL="postgres://u.r:p@${SHARED.toUpperCase()}:6543/postgres" # ${SHARED}:5432\n`,
    ],
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

  it('changes nothing but the port, whatever the password', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab1@#/?:&=,;. "\'') }), (password) => {
        const before = `"postgres://u.r:${password}@${SHARED}:`
        expect(toTransactionMode(`${before}5432/postgres"`)).toBe(`${before}6543/postgres"`)
      }),
      { seed: 7, numRuns: 1000 },
    )
  })

  it.each(['nonsense', `postgres://u.r:p@${SHARED}:port/postgres`])('refuses %s', (text) => {
    expect(() => toTransactionMode(text)).toThrow(
      expect.objectContaining({ code: 'ERR_URL_INVALID' }),
    )
  })
})
