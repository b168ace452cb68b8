import { X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { authorityOf, SUPABASE_ROOT_CERTIFICATE } from '../../src/transports/supabase-authority.ts'

describe('authorityOf', () => {
  it('knows the root certificate that Supabase publishes, by its fingerprint', () => {
    const certificate = new X509Certificate(SUPABASE_ROOT_CERTIFICATE)
    expect(certificate.fingerprint256).toBe(
      '80:70:25:AD:50:D4:ED:21:9D:2C:9C:7D:29:9C:00:4F:82:4E:B0:0C:F7:F6:5A:FE:F6:07:D0:7B:72:E6:CA:FA',
    )
    expect(certificate.ca).toBe(true)
    expect(certificate.subject).toContain('Supabase Root 2021 CA')
  })

  it.each([
    'db.abcdefghijklmnopqrst.supabase.co',
    'aws-0-eu-central-1.pooler.supabase.com',
    'DB.ABC.SUPABASE.CO',
  ])('trusts %s by it', (host) => {
    expect(authorityOf(host)).toBe(SUPABASE_ROOT_CERTIFICATE)
  })

  it.each([
    'supabase.co',
    'db.supabase.co.example.com',
    'notsupabase.co',
    'db.abc.supabase.co.',
    'localhost',
    'supabase.com.evil.test',
    '',
  ])('does not trust %j by it', (host) => {
    expect(authorityOf(host)).toBeUndefined()
  })
})
