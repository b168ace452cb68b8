import { TransportError } from 'nullpool'
import { createGateway, type GatewayTarget } from 'nullpool/gateway'
import { expect, it } from 'vitest'
import { TOKEN } from '../support/gateway-bed.ts'

/** Whether the gateway asks for TLS, of a client whose connection string says this. */
async function asksForTls(target: string | GatewayTarget, query: string): Promise<boolean[]> {
  const asked: boolean[] = []
  const gateway = createGateway({
    token: TOKEN,
    targets: [target],
    transport: {
      name: 'observer',
      connect: (_address, { willStartTls, allowsClear }) => {
        asked.push(willStartTls && !allowsClear)
        return Promise.reject(new TransportError('unreachable', 'observed'))
      },
    },
  })
  const address = typeof target === 'string' ? target : target.address
  const response = await gateway.request('/sql', {
    method: 'POST',
    headers: {
      authorization: `Bearer ${TOKEN}`,
      'neon-connection-string': `postgres://user:password@${address}/db${query}`,
    },
    body: JSON.stringify({ query: 'select 1' }),
  })
  expect(response.status).toBe(502)
  return asked
}

it.each(['', '?sslmode=disable', '?sslmode=prefer', '?sslmode=require'])(
  'no connection string of a client weakens the TLS of /sql: “%s”',
  async (query) => {
    expect(await asksForTls('203.0.113.7:5432', query)).toEqual([true])
    // Who runs the gateway may, for a target.
    const inClear: GatewayTarget = { address: '203.0.113.7:5432', tls: 'disable' }
    expect(await asksForTls(inClear, query)).toEqual([false])
  },
)
