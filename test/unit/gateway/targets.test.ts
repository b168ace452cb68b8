import { describe, expect, it } from 'vitest'
import { parseAddress } from '../../../src/gateway/address.ts'
import { guardedTransport } from '../../../src/gateway/guarded-transport.ts'
import { TargetList, tlsTo } from '../../../src/gateway/targets.ts'
import type { Address, Connection, Transport } from '../../../src/wire/transport.ts'

function at(text: string): Address {
  const address = parseAddress(text)
  if (!address) throw new Error(`${text} is no address.`)
  return address
}

describe('the list of targets', () => {
  const list = new TargetList([
    'db.example.com:5432',
    '*.pooler.example.com:6543',
    { address: 'inside.pooler.example.com:6543', tls: 'disable' },
    '[::1]:5432',
  ])
  const found = (text: string): boolean => {
    try {
      return list.find(at(text)) !== undefined
    } catch {
      return false
    }
  }

  it.each([
    'DB.example.com.:5432',
    'a.pooler.example.com:6543',
    'a.b.pooler.example.com:6543',
    '[0:0::1]:5432',
  ])('has %s', (text) => expect(found(text)).toBe(true))

  it.each([
    'db.example.com:5433',
    'db.example.com.evil.example:5432',
    'xdb.example.com:5432',
    'pooler.example.com:6543',
    'evilpooler.example.com:6543',
    '127.0.0.1:5432',
  ])('has no %s', (text) => expect(found(text)).toBe(false))

  it('takes the entry without a wildcard first', () => {
    expect(tlsTo(list.find(at('inside.pooler.example.com:6543')))).toBeUndefined()
    expect(tlsTo(list.find(at('other.pooler.example.com:6543')))).toEqual({})
  })

  it('speaks in clear to loopback hosts alone, unless told', () => {
    const tls = (target: ConstructorParameters<typeof TargetList>[0][number]): unknown =>
      new TargetList([target]).targets.map(tlsTo)[0]
    expect(['localhost:1', '127.0.0.1:1', '[::1]:1'].map(tls)).toEqual([
      undefined,
      undefined,
      undefined,
    ])
    expect(['10.0.0.1:1', 'localhost.example:1'].map(tls)).toEqual([{}, {}])
    expect(tls({ address: 'localhost:1', tls: 'verify' })).toEqual({})
    expect(tls({ address: 'a.example:1', tls: { ca: 'pem' } })).toEqual({ ca: 'pem' })
  })

  it.each([
    [['host']],
    [['*:5432']],
    [['*.com:5432']],
    [['a.*.example:1']],
    [['*.10.0.0.1:5432']],
    [[{ address: '*.example.com:1', privateAddresses: true }]],
    [[{ address: 'host:1', port: 5 }]],
    [[{ address: 'host:1', privateAddresses: 'yes' }]],
    [[{}]],
  ])('refuses %j', (entries) => {
    expect(() => new TargetList(entries as string[])).toThrow(
      expect.objectContaining({ code: 'ERR_OPTIONS' }),
    )
  })
})

describe('the guarded transport', () => {
  const dialled: string[] = []
  const inner: Transport = {
    name: 'memory',
    async connect({ host, port }) {
      dialled.push(`${host}:${port}`)
      if (host === '8.8.4.4') throw new Error('down')
      const serverNames: unknown[] = []
      const connection = {
        startTls: async (options: object) => {
          serverNames.push(options)
          dialled.push(JSON.stringify(options))
          return connection
        },
      }
      return connection as unknown as Connection
    },
  }
  const names: Record<string, string[]> = {
    'public.example': ['8.8.4.4', '8.8.8.8'],
    'mixed.example': ['8.8.8.8', '10.0.0.1'],
    'inside.example': ['10.0.0.5'],
    'listed.example': ['10.0.0.9'],
  }
  const options = { signal: new AbortController().signal, willStartTls: false }
  const guarded = guardedTransport(
    inner,
    new TargetList([
      ...Object.keys(names).map((name) => `${name}:5432`),
      { address: 'trusted.example:5432', privateAddresses: true },
      '10.0.0.9:5432',
      'nowhere.example:5432',
    ]),
    async (name) => {
      if (name === 'nowhere.example') throw new Error('ENOTFOUND')
      return names[name] ?? ['192.168.0.1']
    },
  )

  it('connects to an address that it has looked at, and has the name proved', async () => {
    const connection = await guarded.connect({ host: 'Public.example.', port: 5432 }, options)
    await connection.startTls({})
    expect(dialled.splice(0)).toEqual([
      '8.8.4.4:5432',
      '8.8.8.8:5432',
      '{"serverName":"public.example"}',
    ])
  })

  it('leaves names to a transport whose other end resolves them, and addresses not', async () => {
    const list = new TargetList(['inside.example:5432', '10.0.0.9:5432'])
    const elsewhere = guardedTransport({ ...inner, resolvesElsewhere: true }, list, async () => {
      throw new Error('asked')
    })
    await elsewhere.connect({ host: 'Inside.example.', port: 5432 }, options)
    expect(dialled.splice(0)).toEqual(['inside.example:5432'])
    await expect(elsewhere.connect({ host: '10.0.0.5', port: 5432 }, options)).rejects.toThrow()
    expect(dialled.splice(0)).toEqual([])
  })

  it('says of a connection what the transport says of it', async () => {
    const named = guardedTransport(
      {
        name: 'memory',
        opening: 'the memory',
        connect: async () =>
          ({ isProtected: true, takesPassword: true, handshakes: 3 }) as Connection,
      },
      new TargetList(['public.example:5432']),
      async () => ['8.8.8.8'],
    )
    expect(named.opening).toBe('the memory')
    expect(await named.connect({ host: 'public.example', port: 5432 }, options)).toMatchObject({
      ...{ isProtected: true, takesPassword: true, handshakes: 3 },
    })
  })

  it.each(['mixed.example', 'inside.example', '10.0.0.5', 'other.example'])(
    'refuses %s before anything is sent',
    async (host) => {
      await expect(guarded.connect({ host, port: 5432 }, options)).rejects.toMatchObject({
        code: 'ERR_GATEWAY_TARGET',
        message: expect.not.stringContaining('10.0.0.1'),
      })
      expect(dialled.splice(0)).toEqual([])
    },
  )

  it.each(['listed.example', 'trusted.example', '10.0.0.9', '0xa.9'])('takes %s', async (host) => {
    await guarded.connect({ host, port: 5432 }, options)
    expect(dialled.splice(0)).toHaveLength(1)
  })

  it('tells a name that leads nowhere', async () => {
    const connecting = guarded.connect({ host: 'nowhere.example', port: 5432 }, options)
    await expect(connecting).rejects.toMatchObject({ name: 'TransportError', reason: 'name' })
  })
})
