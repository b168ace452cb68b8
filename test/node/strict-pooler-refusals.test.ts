import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { lastWords, readTls, StrictPoolerBed } from '../support/strict-pooler-bed.ts'
import * as messages from '../support/wire-messages.ts'

let bed: StrictPoolerBed

beforeAll(async () => {
  bed = await StrictPoolerBed.create()
})
afterEach(() => bed.clear())
afterAll(() => bed[Symbol.asyncDispose]())

describe('a refusal', () => {
  it('names the fields as Supavisor does: C, M, S and no V', async () => {
    const pooler = await bed.start()
    const client = await bed.connect(pooler)
    client.send(messages.startupMessage({ user: 'postgres' }))
    const { payload } = await client.next()
    expect(Object.keys(messages.errorFields(payload))).toEqual(['C', 'M', 'S'])
  })

  it.each([
    [
      { user: 'postgres' },
      'FATAL XX000 (ENOIDENTIFIER) no tenant identifier provided (external_id or sni_hostname required)',
    ],
    [{ user: 'postgres.nobody' }, 'FATAL XX000 (ENOTFOUND) tenant/user postgres.nobody not found'],
    [
      { user: `${'x'.repeat(64)}.model` },
      'FATAL XX000 (EINVALIDUSERINFO) Authentication error, reason: "Invalid format for user or db_name"',
    ],
    [
      { database: 'postgres' },
      'FATAL 08P01 (ESTARTUPMESSAGE) Invalid startup message: :missing_user',
    ],
    [
      { user: 'postgres.model', options: 'x'.repeat(1024) },
      'FATAL 08P01 (ESTARTUPPACKETTOOLARGE) Startup packet too large: 1062 bytes (max 1024 bytes)',
    ],
  ])('of %o', async (parameters, words) => {
    const pooler = await bed.start()
    const client = await bed.connect(pooler)
    client.send(messages.startupMessage(parameters))
    expect(await lastWords(client)).toBe(words)
  })

  it('of a wrong password, for the role without its tenant', async () => {
    const pooler = await bed.start()
    const client = await bed.connect(pooler)
    const login = { ...bed.login(pooler), password: 'wrong' }
    await expect(client.login(login)).rejects.toThrow(
      'FATAL 28P01: password authentication failed for user "postgres"',
    )
  })

  it('of a role that the database does not have', async () => {
    const pooler = await bed.start()
    const client = await bed.connect(pooler)
    const login = { ...bed.login(pooler), user: `nobody.${pooler.tenant}` }
    await expect(client.login(login)).rejects.toThrow(
      'FATAL XX000: (EAUTHQUERY) user not found in the database',
    )
  })

  it('of a mechanism that it has not offered', async () => {
    const pooler = await bed.start()
    const { client } = await bed.greet(pooler)
    client.send(messages.saslInitialResponse('SCRAM-SHA-256-PLUS', 'n,,n=,r=abcdefgh'))
    expect(await lastWords(client)).toMatch(/EAUTHPROTOCOL/)
  })

  it('without a word, of channel binding', async () => {
    const pooler = await bed.start()
    const { client } = await bed.greet(pooler)
    client.send(messages.saslInitialResponse('SCRAM-SHA-256', 'p=tls-unique,,n=,r=abcdefgh'))
    expect(await lastWords(client)).toBe('closed after nothing')
    expect(pooler.stats.violations).toHaveLength(1)
  })

  it('of a database that does not exist, in the words of Postgres', async () => {
    const pooler = await bed.start()
    const client = await bed.connect(pooler)
    const login = { ...bed.login(pooler), database: 'nowhere' }
    await expect(client.login(login)).rejects.toThrow(
      'FATAL 3D000: database "nowhere" does not exist',
    )
  })

  it('of plaintext where TLS is enforced', async () => {
    const pooler = await bed.start({ tls: await readTls(), requireTls: true })
    const client = await bed.connect(pooler)
    client.send(bed.startup(pooler))
    expect(await lastWords(client)).toBe(
      'FATAL XX000 (ESSLREQUIRED) SSL connection is required for user: postgres',
    )
  })

  it('of one client too many, before it authenticates', async () => {
    const pooler = await bed.start({ maxClients: 1 })
    const first = await bed.enter(pooler)
    const second = await bed.connect(pooler)
    second.send(bed.startup(pooler))
    expect(await lastWords(second)).toBe(
      'FATAL XX000 (EMAXCONN) max client connections reached, limit: 1',
    )
    first.send(messages.terminate)
    await pooler.until(({ clients }) => clients === 0)
    await bed.enter(pooler)
    expect(pooler.stats).toMatchObject({ clients: 1, maxClientsSeen: 2, logins: 2 })
  })

  it('of a client that goes silent while it authenticates', async () => {
    const pooler = await bed.start({ authTimeoutMs: 20 })
    const { client } = await bed.greet(pooler)
    expect(await lastWords(client)).toBe(
      'FATAL 08006 (EAUTHTIMEOUT) timeout while waiting for message',
    )
  })

  it('of everybody after too many failures', async () => {
    const pooler = await bed.start({ maxAuthFailures: 1 })
    const client = await bed.connect(pooler)
    const login = { ...bed.login(pooler), password: 'wrong' }
    await expect(client.login(login)).rejects.toThrow('28P01')
    await expect(bed.enter(pooler)).rejects.toThrow(
      'FATAL XX000: (ECIRCUITBREAKER) too many authentication failures, new connections are temporarily blocked',
    )
  })

  it('of everybody while the database cannot be reached', async () => {
    const pooler = await bed.start({ backend: { ...bed.backend, port: 1 } })
    await expect(bed.enter(pooler)).rejects.toThrow(/FATAL 08006: Failed to connect to database: /)
  })

  it('holds back the answer to a wrong password if told to', async () => {
    const pooler = await bed.start({ errorDelayMs: 50 })
    const start = performance.now()
    const client = await bed.connect(pooler)
    const login = { ...bed.login(pooler), password: 'wrong' }
    await expect(client.login(login)).rejects.toThrow('28P01')
    expect(performance.now() - start).toBeGreaterThanOrEqual(49)
  })
})
