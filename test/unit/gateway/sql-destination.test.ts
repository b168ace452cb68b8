import { describe, expect, it } from 'vitest'
import { parseConnectionString } from '../../../src/connection-string.ts'
import { readSqlDestination } from '../../../src/gateway/sql-destination.ts'

describe('where a connection string of a client leads', () => {
  it.each([
    ['2130706433:1', '127.0.0.1', '127.0.0.1:1'],
    ['127.1.', '127.0.0.1', '127.0.0.1'],
    ['0x7f.1:1', '127.0.0.1', '127.0.0.1:1'],
    ['LOCALHOST.:1', 'localhost', 'localhost:1'],
    ['[0:0::1]:1', '::1', '[::1]:1'],
    ['Žluť.example:1', 'xn--lu-yta1h.example', 'xn--lu-yta1h.example:1'],
    ['db.example.com', 'db.example.com', 'db.example.com'],
  ])('has %s in the one notation', (written, host, there) => {
    const text = (at: string): string =>
      `DATABASE_URL="postgres://u:p@ss/w?d@${at}/db?sslmode=require"`
    const { address, connectionString } = readSqlDestination(text(written))
    expect(address.host).toBe(host)
    expect(connectionString).toBe(text(there))
    const target = parseConnectionString(connectionString)
    expect([target.host, target.port]).toEqual([address.host, address.port])
    expect(target.revealPassword()).toBe('p@ss/w?d')
  })

  it('is nowhere, where the host is none', () => {
    expect(() => readSqlDestination('postgres://u:hidden@1.2.3.4.5/db')).toThrow(
      expect.objectContaining({ code: 'ERR_GATEWAY_REQUEST' }),
    )
  })
})
