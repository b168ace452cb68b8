import { describe, expect, it } from 'vitest'
import {
  canonicalHost,
  isIpAddress,
  isPublicAddress,
  parseAddress,
} from '../../../src/gateway/address.ts'
import { formatAddress } from '../../../src/wire/format-address.ts'

describe('parseAddress', () => {
  it.each([
    ['DB.Example.com:6543', 'db.example.com', 6543],
    ['db.example.com.:5432', 'db.example.com', 5432],
    ['[::1]:5432', '::1', 5432],
    ['[::FFFF:127.0.0.1]:5432', '::ffff:7f00:1', 5432],
    ['2130706433:5432', '127.0.0.1', 5432],
    ['0x7f.1:5432', '127.0.0.1', 5432],
    ['0177.0.0.1:5432', '127.0.0.1', 5432],
    ['127.1:5432', '127.0.0.1', 5432],
    ['127.0.0.1.:5432', '127.0.0.1', 5432],
    ['１２７.0.0.1:5432', '127.0.0.1', 5432],
    ['%6cocalhost:5432', 'localhost', 5432],
    ['bücher.example:1', 'xn--bcher-kva.example', 1],
  ])('reads %s', (text, host, port) => {
    expect(parseAddress(text)).toEqual({ host, port })
  })

  it.each([
    '',
    'host',
    ':5432',
    'host:',
    'host:0',
    'host:65536',
    'host:5432:5432',
    'host:+1',
    '::1:5432',
    '[::1]',
    '[fe80::1%25eth0]:1',
    '1.2.3.4.5:1',
    '256.0.0.1:1',
    'a b:1',
    'user@host:1',
    'host/path:1',
    'host?x:1',
    `${'a'.repeat(300)}:1`,
  ])('refuses %s', (text) => {
    expect(parseAddress(text)).toBeUndefined()
  })

  it('writes what it reads', () => {
    for (const text of ['host:1', '[::1]:65535']) {
      expect(formatAddress(parseAddress(text) ?? { host: '', port: 0 })).toBe(text)
    }
    expect(canonicalHost('::1')).toBe('::1')
  })
})

describe('isPublicAddress', () => {
  it.each(['8.8.8.8', '1.1.1.1', '2606:4700::1', '::ffff:8.8.8.8', '64:ff9b::8.8.8.8'])(
    'takes %s',
    (ip) => expect(isPublicAddress(ip)).toBe(true),
  )

  it.each([
    ...['0.0.0.0', '10.0.0.1', '100.64.0.1', '127.0.0.1', '127.255.255.254', '169.254.169.254'],
    ...['172.16.0.1', '172.31.255.255', '192.0.0.1', '192.0.2.1', '192.168.1.1', '198.18.0.1'],
    ...['203.0.113.1', '224.0.0.1', '240.0.0.1', '255.255.255.255'],
    ...['::', '::1', '::7f00:1', '::ffff:127.0.0.1', '::ffff:10.0.0.1', '::ffff:0:127.0.0.1'],
    ...['64:ff9b::127.0.0.1', '64:ff9b::169.254.169.254', '64:ff9b:1::1', '2002:7f00:1::'],
    ...['2001::1', '2001:db8::1', 'fe80::1', 'fec0::1', 'fc00::1', 'fd00::1', 'ff02::1', '100::1'],
    ...['4000::1', 'localhost', ''],
  ])('refuses %s', (ip) => expect(isPublicAddress(ip)).toBe(false))

  it('knows an address from a name', () => {
    expect(['127.0.0.1', '::1', '::ffff:7f00:1'].map(isIpAddress)).toEqual([true, true, true])
    expect(['localhost', '1e100.net', 'a.b'].map(isIpAddress)).toEqual([false, false, false])
  })
})
