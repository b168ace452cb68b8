import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type ConnectionOrigin,
  diagnoseConnectionString,
  type FindingCode,
} from '../../src/connection-findings.ts'

const SHARED = 'aws-1-us-east-1.pooler.supabase.com'
const DIRECT = 'db.abcdefghijklmnopqrst.supabase.co'

const codes = (text: string, where?: ConnectionOrigin): FindingCode[] =>
  diagnoseConnectionString(text, where).map(({ code }) => code)

describe('diagnoseConnectionString()', () => {
  it.each([
    `postgres://postgres.abc:secret@${SHARED}:6543/postgres`,
    'postgres://u:secret@ep-a-pooler.eu.aws.neon.tech/app?sslmode=verify-full',
    'postgres://u:secret@0123.hyperdrive.local:5432/app',
  ])('has nothing to say about %s', (text) => {
    expect(codes(text)).toEqual([])
  })

  it.each<[string, FindingCode, RegExp, ConnectionOrigin?]>([
    [`postgres://postgres.abc:s@${SHARED}:5432/postgres`, 'session-port', /port to 6543/],
    [`postgres://postgres:s@${DIRECT}:5432/postgres`, 'direct-host', /Transaction pooler/],
    [`postgres://postgres:s@${DIRECT}:5432/postgres`, 'direct-host-ipv6', /IPv4/],
    [`postgres://postgres:s@${DIRECT}:6543/postgres`, 'dedicated-pooler-ipv6', /add-on/],
    ['postgres://u:s@ep-a.eu.aws.neon.tech/app', 'neon-direct', /ep-a-pooler\.eu\.aws\.neon\.tech/],
    [
      `postgres://postgres:s@${SHARED}:6543/postgres`,
      'user-without-reference',
      /postgres\.<project ref>/,
    ],
    [
      `postgres://postgres.abcdefghijklmnopqrst:s@${DIRECT}:5432/postgres`,
      'user-with-reference',
      /to postgres\./,
    ],
    [
      `postgres://postgres.abc:[YOUR-PASSWORD]@${SHARED}:6543/postgres`,
      'placeholder-password',
      /database password/,
    ],
    [
      `postgres://postgres.[YOUR-PROJECT-REF]:s@${SHARED}:6543/postgres`,
      'user-without-reference',
      /<project ref>/,
    ],
    [
      `postgres://postgres.your-project-ref:s@${SHARED}:6543/postgres`,
      'user-without-reference',
      /<project ref>/,
    ],
    [`postgres://postgres.abc@${SHARED}:6543/postgres`, 'missing-password', /user:password@host/],
    [`postgres://postgres.abc:a@b#c@${SHARED}:6543/postgres`, 'unescaped-password', /%40/],
    [
      `postgres://postgres.abc:s@${SHARED}:6543/postgres?pgbouncer=true`,
      'ignored-parameter',
      /Remove it/,
    ],
    [
      `postgres://postgres.abc:s@${SHARED}:6543/postgres?sslmode=disable`,
      'sslmode-disable',
      /verify-full/,
    ],
    [
      `postgres://postgres.abc:s@${SHARED}:6543/postgres?sslmode=require`,
      'sslmode-not-verified',
      /verify-full/,
    ],
    [`postgres://${'u'.repeat(64)}.abcd:s@${SHARED}:6543/postgres`, 'name-too-long', /shorter/],
    ['postgres://u:s@supabase_db_app:5432/postgres', 'host-underscore', /dashes/],
    [
      `postgres://postgres:s@${DIRECT}:5432/postgres`,
      'supabase-db-url-is-direct',
      /DATABASE_URL/,
      { variable: 'SUPABASE_DB_URL' },
    ],
    [
      `postgres://postgres.abc:s@${SHARED}:6543/postgres`,
      'hyperdrive-to-pooler',
      /direct/,
      { hyperdriveOrigin: true },
    ],
    ['nonsense', 'unparsable', /postgres:\/\/user/],
  ])('%s: %s', (text, code, fix, where) => {
    const finding = diagnoseConnectionString(text, where).find((one) => one.code === code)
    expect(finding).toBeDefined()
    expect(finding?.fix).toMatch(fix)
    expect(finding?.message).toMatch(/\.$/)
  })

  it('counts the role without the reference, as Supavisor does', () => {
    const role = 'u'.repeat(63)
    expect(codes(`postgres://${role}.abcdefghijklmnopqrst:s@${SHARED}:6543/postgres`)).toEqual([])
  })

  it.each([
    '[YOUR-PASSWORD]',
    '%5BYOUR-PASSWORD%5D',
    '[your-db-password]',
    'YOUR_PASSWORD',
    '<password>',
    '{password}',
    '***',
    '••••••••',
  ])('knows the placeholder %s', (password) => {
    expect(codes(`postgres://postgres.abc:${password}@${SHARED}:6543/postgres`)).toEqual([
      'placeholder-password',
    ])
  })

  it.each(['password', 'mypassword', '[hunter2]', 'your', '*', 'a***'])(
    'takes %s for a password',
    (password) => {
      expect(codes(`postgres://u:${password}@localhost:6543/app`)).not.toContain(
        'placeholder-password',
      )
    },
  )

  it('sees the reference of the host in the user, however long it is', () => {
    expect(codes('postgres://postgres.abc:s@db.abc.supabase.co:6543/postgres')).toContain(
      'user-with-reference',
    )
    expect(codes('postgres://app.role:s@db.abc.supabase.co:6543/postgres')).not.toContain(
      'user-with-reference',
    )
  })

  it.each([
    ['0123.hyperdrive.local:5432/app?sslmode=require', 'Hyperdrive is spoken to in clear'],
    ['localhost:5432/app?sslmode=prefer', 'loopback is spoken to in clear'],
    ['localhost:5432/app?sslmode=allow', 'loopback is spoken to in clear'],
  ])('does not say that TLS verifies %s: %s', (place) => {
    expect(codes(`postgres://u:s@${place}`)).not.toContain('sslmode-not-verified')
  })

  it.each([
    ['require', /without verifying/],
    ['verify-ca', /name/],
    ['prefer', /plaintext/],
    ['no-verify', /not verified/],
  ])('says what sslmode=%s leaves out elsewhere', (mode, message) => {
    const finding = diagnoseConnectionString(
      `postgres://u:s@db.example.com/d?sslmode=${mode}`,
    ).find(({ code }) => code === 'sslmode-not-verified')
    expect(finding?.level).toBe('info')
    expect(finding?.message).toMatch(message)
  })

  it.each([
    ['pgbouncer=true', /Prisma/],
    ['connection_limit=1', /Prisma/],
    ['channel_binding=require', /edge runtimes/],
    ['workaround=supabase-pooler.vercel', /@vercel\/postgres/],
    ['constructor=1', /constructor is not sent: a pooler/],
    ['a%0Ab=1', /parameter ab is not sent/],
  ])('says why %s is not sent', (query, message) => {
    const finding = diagnoseConnectionString(`postgres://u:s@db.example.com/d?${query}`).find(
      ({ code }) => code === 'ignored-parameter',
    )
    expect(finding?.level).toBe('info')
    expect(finding?.message).toMatch(message)
  })

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), fc.boolean(), (text, prefixed) => {
        const findings = diagnoseConnectionString(prefixed ? `postgres://${text}` : text)
        for (const { message, fix } of findings) expect(message && fix).toBeTruthy()
      }),
      { seed: 4, numRuns: 2000 },
    )
  })
})
