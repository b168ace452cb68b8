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
    'postgres://u@localhost:6543/app',
    'postgres://u:secret@database.example.com:6432/app',
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
    [`postgres://${'u'.repeat(60)}.abcd:s@${SHARED}:6543/postgres`, 'name-too-long', /shorter/],
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

  it('says nothing of modes to a long-lived server', () => {
    expect(
      codes(`postgres://postgres:s@${DIRECT}:5432/postgres`, { runtime: 'stationary' }),
    ).toEqual([])
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
