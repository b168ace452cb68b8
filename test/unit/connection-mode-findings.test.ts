import { describe, expect, it } from 'vitest'
import {
  type ConnectionOrigin,
  diagnoseConnectionString,
  type FindingCode,
} from '../../src/connection-findings.ts'
import { toTransactionMode } from '../../src/connection-string.ts'

const SHARED = 'aws-1-us-east-1.pooler.supabase.com'
const DIRECT = 'db.abcdefghijklmnopqrst.supabase.co'

const codes = (text: string, where?: ConnectionOrigin): FindingCode[] =>
  diagnoseConnectionString(text, where).map(({ code }) => code)

describe('modeFindings()', () => {
  it.each([
    [`postgres.abc:s@${SHARED}:6543/postgres`, /db\.abc\.supabase\.co.*5432.*user to postgres\./],
    [`postgres:s@${DIRECT}:6543/postgres`, /port to 5432/],
    ['u:s@ep-a-pooler.eu.aws.neon.tech/app', /host to ep-a\.eu\.aws\.neon\.tech\./],
  ])('names what Hyperdrive should point at instead of %s', (place, fix) => {
    const findings = diagnoseConnectionString(`postgres://${place}`, { hyperdriveOrigin: true })
    expect(findings.find(({ code }) => code === 'hyperdrive-to-pooler')?.fix).toMatch(fix)
  })

  it.each<[string, FindingCode]>([
    [`${DIRECT}:5432`, 'direct-host'],
    ['ep-a.eu.aws.neon.tech', 'neon-direct'],
    ['database.example.com:5432', 'mode-unknown'],
    ['localhost:5432', 'mode-unknown'],
    [`${SHARED}:6432`, 'mode-unknown'],
  ])('explains why toTransactionMode() leaves %s alone: %s', (place, code) => {
    const text = `postgres://u:s@${place}/postgres`
    expect(toTransactionMode(text)).toBe(text)
    expect(codes(text)).toContain(code)
  })

  it('says nothing of modes to a long-lived server', () => {
    expect(
      codes(`postgres://postgres:s@${DIRECT}:5432/postgres`, { runtime: 'stationary' }),
    ).toEqual([])
  })

  it('names the dashboard and not a host where the pooler cannot be derived', () => {
    const findings = diagnoseConnectionString(`postgres://postgres:s@${DIRECT}:5432/postgres`)
    const fix = findings.find(({ code }) => code === 'direct-host')?.fix
    expect(fix).toMatch(/cannot be derived/)
    expect(fix).not.toMatch(/aws-\d/)
  })

  it('speaks of SUPABASE_DB_URL only where it is the direct connection', () => {
    const where = { variable: 'SUPABASE_DB_URL' }
    expect(codes('postgres://postgres:s@localhost:5432/postgres', where)).toEqual(['mode-unknown'])
    expect(codes('postgres://postgres:s@db:5432/postgres', where)).toEqual([
      'supabase-db-url-is-direct',
      'mode-unknown',
    ])
    expect(codes(`postgres://postgres:s@${DIRECT}:5432/postgres`, { variable: 'url' })).toEqual([
      'direct-host',
      'direct-host-ipv6',
    ])
    expect(codes(`postgres://postgres:s@${DIRECT}:5432/postgres`, where)).toEqual([
      'supabase-db-url-is-direct',
      'direct-host',
      'direct-host-ipv6',
    ])
  })

  it.each([`${DIRECT}:5432`, 'ep-a.eu.aws.neon.tech', '0123.hyperdrive.local', 'localhost'])(
    'lets Hyperdrive point at %s',
    (place) => {
      const text = `postgres://postgres:s@${place}/postgres`
      expect(codes(text, { hyperdriveOrigin: true })).toEqual([])
    },
  )
})
