import { describe, expect, it, vi } from 'vitest'
import { createGateway, type GatewayOptions } from '../../../src/gateway/index.ts'

const TOKEN = 'x'.repeat(32)
const LEAST = { token: TOKEN, targets: ['localhost:5432'] }

describe('the options of the gateway', () => {
  it.each([
    undefined,
    {},
    { token: TOKEN },
    { targets: LEAST.targets },
    { ...LEAST, token: '' },
    { ...LEAST, token: 'x'.repeat(31) },
    { ...LEAST, token: `${TOKEN} ` },
    { ...LEAST, token: 'x'.repeat(513) },
    { ...LEAST, token: [] },
    { ...LEAST, token: [TOKEN, ''] },
    { ...LEAST, targets: [] },
    { ...LEAST, targets: 'localhost:5432' },
    { ...LEAST, targets: [null] },
    { ...LEAST, targets: [{ address: 'localhost:5432', tls: 'require' }] },
    { ...LEAST, targets: [{ address: 'localhost:5432', pooler: 'odyssey' }] },
    { ...LEAST, targets: [{ address: 'localhost:5432', guard: 'refuse' }] },
    { ...LEAST, targets: [{ address: 'localhost:5432', guard: true }] },
    { ...LEAST, upgradeWebSocket: true },
    { ...LEAST, onEvent: true },
    { ...LEAST, transport: {} },
    { ...LEAST, maxConnections: 0 },
    { ...LEAST, maxMessageBytes: 1.5 },
    { ...LEAST, maxBufferedBytes: Number.POSITIVE_INFINITY },
    { ...LEAST, maxResultBytes: '1' },
    { ...LEAST, idleTimeoutMs: -1 },
    { ...LEAST, bodyTimeoutMs: 0 },
    { ...LEAST, connectTimeoutMs: 2 ** 31 },
    { ...LEAST, queryTimeoutMs: Number.NaN },
    { ...LEAST, allowAll: true },
  ])('refuse %j', (options) => {
    expect(() => createGateway(options as GatewayOptions)).toThrow(
      expect.objectContaining({ code: 'ERR_OPTIONS' }),
    )
  })

  it('never quote a token', () => {
    const secret = 'too-short-a-secret'
    expect(() => createGateway({ ...LEAST, token: secret })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining(secret) }),
    )
  })

  it('take several tokens, of which each will do', async () => {
    const gateway = createGateway({ ...LEAST, token: [TOKEN, 'y'.repeat(32)] })
    const status = async (token: string): Promise<number> =>
      (await gateway.request(`/v1?address=localhost:5432&token=${token}`)).status
    expect(await status(TOKEN)).toBe(426)
    expect(await status('y'.repeat(32))).toBe(426)
    expect(await status('z'.repeat(32))).toBe(401)
    expect(await status('')).toBe(401)
  })

  it('say what is missing where a runtime has WebSockets of its own', async () => {
    const headers = { upgrade: 'websocket', authorization: `Bearer ${TOKEN}` }
    const onEvent = vi.fn()
    const gateway = createGateway({ ...LEAST, onEvent })
    const response = await gateway.request('/v1?address=localhost:5432', { headers })
    expect(await response.json()).toMatchObject({ code: 'ERR_OPTIONS' })
    const hint = expect.stringContaining('upgradeWebSocket')
    expect(onEvent.mock.calls).toEqual([
      [{ type: 'refused', path: '/v1', code: 'ERR_OPTIONS', hint }],
    ])
  })
})
