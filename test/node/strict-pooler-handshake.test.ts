import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { createSecureContext } from 'node:tls'
import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { lastWords, readTls, StrictPoolerBed, tags, values } from '../support/strict-pooler-bed.ts'
import { ClientSocket } from '../support/strict-pooler-socket.ts'
import * as messages from '../support/wire-messages.ts'

let bed: StrictPoolerBed

beforeAll(async () => {
  bed = await StrictPoolerBed.create()
})
afterEach(() => bed.clear())
afterAll(() => bed[Symbol.asyncDispose]())

describe('one message in one delivery', () => {
  it('is let in with SCRAM-SHA-256 and greeted', async () => {
    const pooler = await bed.start()
    const client = await bed.connect(pooler)
    const greeting = await client.login(bed.login(pooler))
    expect(tags(greeting)).toBe('RSKZ')
    client.send(messages.query('select pg_backend_pid()'))
    const [backendPid] = values(await client.until('Z'))
    const key = greeting.find(({ tag }) => tag === 'K')?.payload
    expect(key?.readUInt32BE(0)).toBeGreaterThan(0)
    expect(String(key?.readUInt32BE(0))).not.toBe(backendPid)
    expect(pooler.stats).toMatchObject({ clients: 1, logins: 1, violations: [] })
  })

  it('is offered SCRAM-SHA-256 and nothing else', async () => {
    const pooler = await bed.start()
    const client = await bed.connect(pooler)
    client.send(bed.startup(pooler))
    const { tag, payload } = await client.next()
    expect([tag, payload.toString('latin1')]).toEqual(['R', '\0\0\0\x0aSCRAM-SHA-256\0\0'])
  })

  it('ignores start-up parameters that it does not know', async () => {
    const pooler = await bed.start()
    const client = await bed.connect(pooler)
    const parameters = { statement_timeout: '5', application_name: 'mine', nonsense: 'yes' }
    await client.login({ ...bed.login(pooler), parameters })
    client.send(messages.query("select current_setting('statement_timeout')"))
    expect(values(await client.until('Z'))).toEqual(['0'])
    // What the server sees is the pooler's own name.
    client.send(messages.query("select current_setting('application_name')"))
    expect(values(await client.until('Z'))).toEqual(['Supavisor'])
    expect(pooler.stats.violations).toEqual([])
  })

  it('takes the tenant from the options too', async () => {
    const pooler = await bed.start({ tenant: 'other' })
    const client = await bed.connect(pooler)
    const { user, password, database } = bed.backend
    const parameters = { options: 'reference%3Dother' }
    expect(tags(await client.login({ user, password, database, parameters }))).toBe('RSKZ')
  })

  it('answers N where there is no certificate, and goes on in clear', async () => {
    const pooler = await bed.start()
    const client = await bed.connect(pooler)
    client.send(messages.sslRequest)
    expect(await client.byte()).toBe('N')
    expect(tags(await client.login(bed.login(pooler)))).toBe('RSKZ')
  })

  it('works over TLS, raw and with postgres.js', async () => {
    const pooler = await bed.start({ tls: await readTls(), requireTls: true })
    const { ca } = inject('servers')
    const client = await bed.connect(pooler)
    client.send(messages.sslRequest)
    expect(await client.byte()).toBe('S')
    await client.startTls(ca)
    await client.login(bed.login(pooler))
    client.send(messages.query('select 1'))
    expect(values(await client.until('Z'))).toEqual(['1'])
    const sql = postgres({
      ...{ ...bed.login(pooler), host: 'localhost', port: pooler.port, ssl: { ca } },
      ...{ prepare: false, fetch_types: false, max: 1 },
    })
    expect(await sql`select ${2}::int as two`).toEqual([{ two: 2 }])
    await sql.end()
    expect(pooler.stats.violations).toEqual([])
  })

  it('says what it is to a browser', async () => {
    const pooler = await bed.start()
    const response = await fetch(`http://${pooler.host}:${pooler.port}`)
    expect([response.status, response.headers.get('x-app-version')]).toEqual([204, 'model'])
  })
})

describe('more or less than one message in a delivery', () => {
  it('a ClientHello glued to the SSLRequest is a bad start-up message', async () => {
    const pooler = await bed.start({ tls: await readTls() })
    const client = await bed.connect(pooler)
    const clientHello = Buffer.concat([
      Buffer.from('16030100f8010000f40303', 'hex'),
      Buffer.alloc(239, 7),
    ])
    client.send(messages.sslRequest, clientHello)
    expect(await lastWords(client)).toMatch(/^FATAL 08P01 \(ESTARTUPMESSAGE\)/)
    expect(pooler.stats.violations).toEqual([
      'client 1: start-up delivery of 258 bytes, 250 of them glued on',
    ])
  })

  it('a long one is too large', async () => {
    const pooler = await bed.start({ tls: await readTls() })
    const client = await bed.connect(pooler)
    client.send(messages.sslRequest, Buffer.alloc(1500, 7))
    expect(await lastWords(client)).toBe(
      'FATAL 08P01 (ESTARTUPPACKETTOOLARGE) Startup packet too large: 1508 bytes (max 1024 bytes)',
    )
  })

  it('a start-up message glued to the SSLRequest gets no TLS', async () => {
    const pooler = await bed.start({ tls: await readTls() })
    const client = await bed.connect(pooler)
    client.send(messages.sslRequest, bed.startup(pooler))
    // The lengths and versions happen to be an even number of fields, and `user` is among them.
    expect(await client.byte()).toBe('R')
    expect(pooler.stats.violations).toHaveLength(1)
  })

  it('what comes before the S is lost, and the handshake waits for it', async () => {
    const listener = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const { port } = listener.address() as AddressInfo
    const client = connect(port, '127.0.0.1')
    const [accepted] = await once(listener, 'connection')
    const context = createSecureContext(await readTls())
    const early = new Promise<number>((resolve) => {
      const socket = new ClientSocket(accepted, {
        delivery: () => {
          client.write('too early')
          resolve(socket.startTls(context))
        },
        closed: () => {},
      })
    })
    client.write(messages.sslRequest)
    expect(await early).toBe('too early'.length)
    client.destroy()
    accepted.destroy()
    listener.close()
  })

  it('a direct TLS connection is a bad start-up message', async () => {
    const pooler = await bed.start({ tls: await readTls() })
    const client = await bed.connect(pooler)
    client.send(Buffer.from('16030100f8010000f40303', 'hex'), Buffer.alloc(242, 7))
    expect(await lastWords(client)).toMatch(/^FATAL 08P01 \(ESTARTUPMESSAGE\)/)
  })

  it('a SASLInitialResponse glued to the start-up message makes its fields odd', async () => {
    const pooler = await bed.start()
    const client = await bed.connect(pooler)
    client.send(
      bed.startup(pooler),
      messages.saslInitialResponse('SCRAM-SHA-256', 'n,,n=,r=abcdefghijklmnopqrstuvwx'),
    )
    expect(await lastWords(client)).toBe(
      'FATAL 08P01 (ESTARTUPMESSAGE) Invalid startup message: :bad_startup_payload',
    )
    expect(pooler.stats.violations).toHaveLength(1)
  })

  it('a query glued to the final message is lost, with everything else as usual', async () => {
    const pooler = await bed.start()
    const { client, final } = await bed.challenge(pooler)
    const lost = messages.query('select 1')
    client.send(final, lost)
    expect(tags(await client.until('Z'))).toBe('RSKZ')
    expect(pooler.stats.violations).toEqual([
      `client 1: authentication delivery of ${final.length + lost.length} bytes, ${lost.length} of them glued on`,
    ])
    // Had it been only late, its answer would come first.
    client.send(messages.query('select 2'))
    expect(values(await client.until('Z'))).toEqual(['2'])
  })

  it('a query after R12 and before Z is kept', async () => {
    let greet = (): void => {}
    const pooler = await bed.start({
      beforeGreeting: () =>
        new Promise((resolve) => {
          greet = resolve
        }),
    })
    const { client, final } = await bed.challenge(pooler)
    client.send(final)
    expect((await client.next()).payload.readUInt32BE(0)).toBe(12)
    client.send(messages.extended('select $1::int', ['3']), messages.sync)
    await pooler.until(({ postponed }) => postponed === 1)
    greet()
    expect(tags(await client.until('Z'))).toBe('RSKZ')
    expect(values(await client.until('Z'))).toEqual(['3'])
    expect(pooler.stats.violations).toEqual([])
  })

  it('half a start-up message is a bad one', async () => {
    const pooler = await bed.start()
    const client = await bed.connect(pooler)
    client.send(bed.startup(pooler).subarray(0, 12))
    expect(await lastWords(client)).toBe(
      'FATAL 08P01 (ESTARTUPMESSAGE) Invalid startup message: :bad_startup_payload',
    )
    expect(pooler.stats.violations).toEqual(['client 1: start-up delivery of 12 bytes, incomplete'])
  })

  it('half an authentication message is a protocol violation', async () => {
    const pooler = await bed.start()
    const { client, exchange } = await bed.greet(pooler)
    client.send(messages.saslInitialResponse('SCRAM-SHA-256', exchange.first).subarray(0, 20))
    expect(await lastWords(client)).toBe(
      'FATAL 08P01 (EAUTHPROTOCOL) protocol violation during authentication',
    )
  })

  it('joins TLS records that were read together, as OTP does', async () => {
    const pooler = await bed.start({ tls: await readTls() })
    const client = await bed.connect(pooler)
    client.send(messages.sslRequest)
    await client.byte()
    await client.startTls(inject('servers').ca)
    // Two writes are two records.
    client.send(bed.startup(pooler))
    client.send(messages.saslInitialResponse('SCRAM-SHA-256', 'n,,n=,r=abcdefghijklmnopqrstuvwx'))
    expect(await lastWords(client)).toMatch(/ESTARTUPMESSAGE/)
    expect(pooler.stats.violations).toHaveLength(1)
  })
})
