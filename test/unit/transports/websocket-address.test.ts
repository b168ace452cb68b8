import { describe, expect, it } from 'vitest'
import { chooseWay } from '../../../src/transports/websocket-address.ts'
import { TransportError } from '../../../src/wire/transport.ts'

const TARGET = { host: 'db.example', port: 6543 }
const GATEWAY = 'wss://gateway.example/v1'
const SECRET = 'very-secret_0'

function refusal(...args: Parameters<typeof chooseWay>): TransportError {
  try {
    chooseWay(...args)
  } catch (error) {
    if (error instanceof TransportError) return error
  }
  throw new Error('It was not refused.')
}

describe('chooseWay', () => {
  it('adds the target to the address of a gateway, and leaves what is there', () => {
    const way = chooseWay(TARGET, { url: `${GATEWAY}?region=eu` }, {})
    expect(way.url.origin + way.url.pathname).toBe(GATEWAY)
    expect([...way.url.searchParams]).toEqual([
      ['region', 'eu'],
      ['address', 'db.example:6543'],
    ])
    expect(way).toMatchObject({ isProtected: true, takesPassword: false, handshakes: 3 })
  })

  it('writes IPv6 addresses in brackets', () => {
    const { url } = chooseWay({ host: '2001:db8::1', port: 5432 }, { url: GATEWAY }, {})
    expect(url.searchParams.get('address')).toBe('[2001:db8::1]:5432')
  })

  it('takes the address of a function as it is', () => {
    const url = ({ host, port }: typeof TARGET): string => `wss://${host}.example/at/${port}`
    expect(chooseWay(TARGET, { url }, {}).url.href).toBe('wss://db.example.example/at/6543')
  })

  it.each(['ep-a-1.eu-central-1.aws.neon.tech', 'ep-a-1-pooler.eu-central-1.aws.neon.tech'])(
    "leads to %s by Neon's own route, where the password may leave at once",
    (host) => {
      const way = chooseWay({ host, port: 5432 }, {}, { tls: {} })
      expect(way.url.href).toBe(`wss://${host}/v2`)
      expect(way).toMatchObject({ isProtected: true, takesPassword: true, protocols: [] })
    },
  )

  it("sends no token to Neon, and takes a gateway's url for Neon's hosts where it is given", () => {
    const neon = { host: 'ep-a.neon.tech', port: 5432 }
    const { url, protocols } = chooseWay(neon, { token: SECRET }, {})
    expect(url.href + protocols).not.toContain(SECRET)
    expect(chooseWay(neon, { url: GATEWAY }, {})).toMatchObject({ takesPassword: false })
  })

  it.each(['db.example', 'neon.tech.example', 'evilneon.tech'])('knows no way to %s', (host) => {
    expect(refusal({ host, port: 5432 }, {}, {})).toMatchObject({
      reason: 'unsupported',
      hint: expect.stringContaining('webSocketTransport({ url'),
    })
  })

  it('sends a token as a subprotocol beside one that may come back', () => {
    const { url, protocols } = chooseWay(TARGET, { url: GATEWAY, token: SECRET }, {})
    expect(protocols).toEqual(['nullpool', `bearer.${SECRET}`])
    expect(url.href).not.toContain(SECRET)
  })

  it('sends a token in the address where it is told to', () => {
    const options = { url: GATEWAY, token: 'a b&c', tokenIn: 'query' } as const
    const { url, protocols } = chooseWay(TARGET, options, {})
    expect(url.searchParams.get('token')).toBe('a b&c')
    expect(protocols).toEqual([])
  })

  it.each(['a b', 'a,b', 'a/b', 'ä', ''])('refuses the token %j without quoting it', (token) => {
    const error = refusal(TARGET, { url: GATEWAY, token: `${token}${token && SECRET}` }, {})
    expect(error).toMatchObject({ reason: 'unsupported' })
    expect(JSON.stringify([error.message, error.hint])).not.toContain(SECRET)
  })

  it.each([[{ tls: { ca: 'PEM' } }], [{ tls: { serverName: 'other.example' } }]])(
    'refuses %j, which the runtime cannot honour',
    (wanted) => {
      expect(refusal(TARGET, { url: GATEWAY }, wanted)).toMatchObject({
        reason: 'unsupported',
        hint: expect.stringContaining('tls.ca and tls.serverName'),
      })
    },
  )

  it.each([
    'ws://gateway.example/v1',
    'ws://10.0.0.1/v1',
    'ws://localhost.example/v1',
    'ws://127.0.0.1.example/v1',
    'ws://[::2]/v1',
  ])('refuses %s, unless clear is asked for by name', (url) => {
    const error = refusal(TARGET, { url }, { tls: {} })
    expect(error).toMatchObject({ reason: 'unsupported', hint: expect.stringContaining('wss://') })
    expect(refusal(TARGET, { url }, { allowsClear: false })).toMatchObject({
      reason: 'unsupported',
    })
    const way = chooseWay(TARGET, { url }, { allowsClear: true })
    expect(way).toMatchObject({ isProtected: false, handshakes: 2 })
  })

  it.each(['ws://localhost:9/v1', 'ws://a.localhost/v1', 'ws://127.1.2.3/v1', 'ws://[::1]:9/v1'])(
    'takes %s: it does not leave the machine',
    (url) => {
      expect(chooseWay(TARGET, { url }, { tls: {} })).toMatchObject({ isProtected: true })
    },
  )

  it.each([
    'https://gateway.example',
    `gateway.example/${SECRET}`,
    `wss://user:${SECRET}@gateway.example`,
    `wss://gateway.example#${SECRET}`,
    '',
  ])('refuses %j without quoting it', (url) => {
    const error = refusal(TARGET, { url }, {})
    expect(error).toMatchObject({ reason: 'unsupported', cause: undefined })
    expect(`${error.message} ${error.hint}`).not.toContain(SECRET)
  })
})
