import { describe, expect, it } from 'vitest'
import { parseAddress } from '../../../src/gateway/address.ts'
import { type GatewayTarget, TargetList } from '../../../src/gateway/targets.ts'
import { guardModeOf } from '../../../src/gateway/tunnel-guard.ts'

function modeOf(text: string, how: Partial<GatewayTarget> = {}): string {
  const address = parseAddress(text)
  if (!address) throw new Error(`${text} is no address.`)
  return guardModeOf(new TargetList([{ address: text, ...how }]).find(address), address)
}

describe('the guard of a tunnel', () => {
  it.each([
    ['aws-0-eu-west-1.pooler.supabase.com:6543', 'throw'],
    ['aws-0-eu-west-1.pooler.supabase.com:5432', 'off'],
    ['db.abcdefghijklmnopqrst.supabase.co:6543', 'throw'],
    ['db.abcdefghijklmnopqrst.supabase.co:5432', 'off'],
    ['ep-a-b-pooler.eu-west-2.aws.neon.tech:5432', 'throw'],
    ['ep-a-b.eu-west-2.aws.neon.tech:5432', 'off'],
    ['pgbouncer.internal:6543', 'throw'],
    ['localhost:6543', 'throw'],
    ['pgbouncer.internal:6432', 'warn'],
    ['db.example.com:5432', 'warn'],
  ])('knows %s by its address', (address, mode) => expect(modeOf(address)).toBe(mode))

  it.each([
    [{ pooler: 'pgbouncer' }, 'db.example.com:6432', 'throw'],
    [{ pooler: 'supavisor' }, 'db.example.com:6432', 'throw'],
    [{ pooler: 'postgres' }, 'db.example.com:6543', 'off'],
    [{ pooler: 'pgbouncer' }, 'aws-0-eu-west-1.pooler.supabase.com:5432', 'off'],
    [{ guard: 'off' }, 'localhost:6543', 'off'],
    [{ guard: 'throw' }, 'db.example.com:5432', 'throw'],
    [{ guard: 'warn', pooler: 'pgbouncer' }, 'localhost:6543', 'warn'],
  ] as const)('is told by %j of %s', (how, address, mode) => {
    expect(modeOf(address, how)).toBe(mode)
  })
})
