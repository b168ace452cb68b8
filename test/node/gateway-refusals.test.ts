import { once } from 'node:events'
import { connect } from 'node:net'
import { hostname } from 'node:os'
import { neon, neonConfig, Pool } from '@neondatabase/serverless'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { closedPort } from '../support/counting-proxy.ts'
import { RUNTIMES, type RunningGateway, startNodeGateway, TOKEN } from '../support/gateway-bed.ts'
import { TunnelClient } from '../support/tunnel-client.ts'

const { postgres } = inject('servers')

const WRONG_TOKEN = 'another-token-of-more-than-32-characters-012345'

describe.each(RUNTIMES)('what the gateway refuses on %s', (_name, start) => {
  let gateway: RunningGateway
  let nobody: string
  let release: () => void
  let listed: string
  beforeAll(async () => {
    const unreached = await closedPort()
    nobody = `${unreached.host}:${unreached.port}`
    release = unreached.release
    listed = `${postgres.host}:${postgres.port}`
    gateway = await start({ targets: [nobody, listed] })
    neonConfig.fetchEndpoint = `http://${gateway.host}/sql`
    neonConfig.useSecureWebSocket = false
    neonConfig.pipelineConnect = false
    neonConfig.webSocketConstructor = undefined
  })
  afterAll(async () => {
    release?.()
    await gateway?.[Symbol.asyncDispose]()
  })

  async function viaNeon(target: string, authToken = TOKEN): Promise<string> {
    const sql = neon(`postgres://user:hidden-password@${target}/db`, { authToken })
    const outcome = await sql`select 1`.then(JSON.stringify, String)
    expect(outcome).not.toContain('hidden-password')
    expect(outcome).not.toContain(TOKEN)
    return outcome
  }

  /** What Pool's query rejects with. */
  async function viaPool(target: string, token = TOKEN): Promise<unknown> {
    neonConfig.wsProxy = () => `${gateway.host}/v2?address=${target}&token=${token}`
    const pool = new Pool({ connectionString: 'postgres://user:hidden-password@host/db' })
    try {
      return await pool.query('select 1').catch((error: unknown) => error)
    } finally {
      await pool.end()
    }
  }

  async function viaTunnel(path: string, token?: string): Promise<[number, string]> {
    const client = new TunnelClient(gateway, path, token)
    const { status, reason } = await client.untilClosed()
    return [status, reason]
  }

  it('a wrong token', async () => {
    expect(await viaNeon(listed, WRONG_TOKEN)).toMatch(
      /^NeonDbError: Server error \(HTTP status 401\): .*"The token of the gateway is not the right one\.".*"ERR_GATEWAY_TOKEN"/,
    )
    expect(await viaPool(listed, WRONG_TOKEN)).toMatchObject({
      message: 'The token of the gateway is not the right one.',
      code: '28000',
      severity: 'FATAL',
    })
    const path = `/v2?address=${listed}`
    expect(await viaTunnel(path, WRONG_TOKEN)).toEqual([4401, 'ERR_GATEWAY_TOKEN'])
    expect((await fetch(`http://${gateway.host}${path}`)).status).toBe(401)
    const response = await fetch(`http://${gateway.host}/sql`, { method: 'POST', body: '{}' })
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([
      401,
      'Bearer realm="nullpool"',
    ])
  })

  it('a target that is not listed', async () => {
    for (const target of [
      'db.example.com:5432',
      '127.0.0.1:1',
      '169.254.169.254:81',
      '[::1]:5432',
    ]) {
      expect(await viaNeon(target)).toContain('HTTP status 403')
      expect(await viaNeon(target)).toContain(`The gateway does not serve ${target}.`)
      expect(await viaPool(target)).toMatchObject({
        message: `The gateway does not serve ${target}.`,
        code: '08004',
      })
      expect(await viaTunnel(`/v1?address=${target}`, TOKEN)).toEqual([4403, 'ERR_GATEWAY_TARGET'])
    }
  })

  it('a server that is down', async () => {
    expect(await viaNeon(nobody)).toMatch(/HTTP status 502.*ERR_CONNECT_REFUSED.*"retryable":true/)
    expect(await viaPool(nobody)).toMatchObject({
      code: '08001',
      message: `Nothing accepts connections at ${nobody}.`,
    })
    expect(await viaTunnel(`/v1?address=${nobody}`, TOKEN)).toEqual([1014, 'ERR_CONNECT_REFUSED'])
  })

  it('what is no request of the protocol', async () => {
    const post = async (body: string, headers: Record<string, string> = {}): Promise<string> => {
      const response = await fetch(`http://${gateway.host}/sql`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${TOKEN}`,
          'neon-connection-string': `postgres://user:hidden-password@${listed}/db`,
          ...headers,
        },
        body,
      })
      expect(response.status).toBe(400)
      const { message, code } = (await response.json()) as { message: string; code: string }
      return `${code} ${message}`
    }
    const wrong = 'ERR_GATEWAY_REQUEST '
    expect(await post('{"query"')).toBe(
      `${wrong}The body takes JSON: { query, params } or { queries }.`,
    )
    expect(await post('[]')).toContain('The body takes JSON')
    expect(await post('{}')).toBe(`${wrong}query takes a text.`)
    expect(await post('{"query":"select 1","params":1}')).toContain('params takes a list')
    expect(await post('{"query":"select 1","arrayMode":1}')).toContain('arrayMode takes')
    expect(await post('{"query":"select \\u0000"}')).toBe(`${wrong}query holds a NUL.`)
    expect(await post('{"query":"select $1","params":["\\ud800"]}')).toContain('Half a character')
    expect(await post('{"queries":{}}')).toContain('queries takes a list')
    expect(await post('{"queries":[1]}')).toContain('A statement takes')
    const isolation = { 'neon-batch-isolation-level': 'Chaos' }
    expect(await post('{"queries":[]}', isolation)).toContain('Neon-Batch-Isolation-Level takes')
    const none = { 'neon-connection-string': 'mysql://user:hidden-password@host' }
    expect(await post('{"query":"select 1"}', none)).toMatch(/^ERR_URL_INVALID (?!.*hidden)/)
    expect(await post('{"query":"select 1"}', { 'neon-connection-string': '' })).toContain(
      'The header Neon-Connection-String is missing.',
    )
    for (const address of [
      '',
      'host',
      'host:0',
      'host:70000',
      'user@host:1',
      'a b:1',
      'host:1/x',
    ]) {
      const path = `/v1?address=${encodeURIComponent(address)}`
      expect(await viaTunnel(path, TOKEN)).toEqual([4400, 'ERR_GATEWAY_REQUEST'])
    }
    const plain = await fetch(`http://${gateway.host}/v1?address=${listed}&token=${TOKEN}`)
    expect(plain.status).toBe(426)
    expect((await fetch(`http://${gateway.host}/`)).status).toBe(404)
  })

  it('agrees to the subprotocol, and never repeats the token', async () => {
    const offered = ['nullpool', `bearer.${TOKEN}`]
    const socket = new WebSocket(`ws://${gateway.host}/v1?address=${listed}`, offered)
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve)
      socket.addEventListener('error', reject)
    })
    expect(socket.protocol).toBe('nullpool')
    socket.close()
  })
})

describe('a name that leads to a private address, on Node', () => {
  it('is refused unless the list says otherwise', async () => {
    // This machine's own name leads to an address of its own.
    const target = `${hostname().toLowerCase()}:${postgres.port}`
    const connect = async (entry: string | object): Promise<string> => {
      await using gateway = await startNodeGateway({ targets: [entry as string] })
      const client = await new TunnelClient(gateway, `/v2?address=${target}`).open()
      await expect.poll(() => gateway.events.length, { timeout: 15_000 }).toBeGreaterThan(0)
      const [first] = gateway.events
      client.socket.close()
      await client.untilClosed()
      return first?.type === 'refused' ? first.code : (first?.type ?? '')
    }
    expect(await connect(target)).toBe('ERR_GATEWAY_TARGET')
    expect(await connect({ address: target, tls: 'disable', privateAddresses: true })).not.toBe(
      'ERR_GATEWAY_TARGET',
    )
  })
})

describe('a client that is refused and does not answer the close, on Node', () => {
  it('is not waited for', { timeout: 15_000 }, async () => {
    await using gateway = await startNodeGateway({ targets: ['db.example.com:5432'] })
    const [host, port] = gateway.host.split(':')
    const socket = connect(Number(port), host)
    let heard = ''
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1')
    })
    socket.write(
      `GET /v2?address=db.example.com:5432 HTTP/1.1\r\nhost: ${gateway.host}\r\n` +
        'connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n' +
        'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    )
    await once(socket, 'close')
    expect(heard).toContain('101 Switching Protocols')
    expect(heard).toContain('C28000\0MThe token of the gateway is missing.')
  })
})
