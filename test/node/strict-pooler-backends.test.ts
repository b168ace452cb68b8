import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { lastWords, StrictPoolerBed, values } from '../support/strict-pooler-bed.ts'
import * as messages from '../support/wire-messages.ts'

let bed: StrictPoolerBed

beforeAll(async () => {
  bed = await StrictPoolerBed.create()
})
afterEach(() => bed.clear())
afterAll(() => bed[Symbol.asyncDispose]())

describe('the backends', () => {
  it('are kept through a transaction, and never reset between clients', async () => {
    const pooler = await bed.start({ poolSize: 1 })
    const [alice, bob] = [await bed.enter(pooler), await bed.enter(pooler)]
    alice.send(messages.query("begin; set nullpool.leak = 'of alice'"))
    await alice.until('Z')
    expect(pooler.stats.busy).toBe(1)
    bob.send(messages.query("select current_setting('nullpool.leak', true)"))
    alice.send(messages.query('commit'))
    await alice.until('Z')
    expect(values(await bob.until('Z'))).toEqual(['of alice'])
    expect(pooler.stats).toMatchObject({ violations: [], busy: 0 })
  })

  it('belong to the role that logged in', async () => {
    const { sql, name } = bed.database
    await sql.unsafe(`create role reader_of_${name} login password 'secret'`)
    const pooler = await bed.start({ users: { [`reader_of_${name}`]: 'secret' } })
    const client = await bed.connect(pooler)
    const user = `reader_of_${name}.${pooler.tenant}`
    await client.login({ user, password: 'secret', database: name })
    client.send(messages.query('select current_user'))
    expect(values(await client.until('Z'))).toEqual([`reader_of_${name}`])
    await bed.clear()
    await sql.unsafe(`drop role reader_of_${name}`)
  })

  it('are waited for, but not for ever', async () => {
    const pooler = await bed.start({ poolSize: 1, checkoutTimeoutMs: 1_500 })
    const [alice, bob] = [await bed.enter(pooler), await bed.enter(pooler)]
    alice.send(messages.query('begin'))
    await alice.until('Z')
    bob.send(messages.query('select 1'))
    expect(await lastWords(bob)).toBe(
      'FATAL XX000 (ECHECKOUTTIMEOUT) unable to check out connection from the pool after 1500ms in Transaction mode',
    )
    alice.send(messages.query('commit'))
    await alice.until('Z')
    // The one who gave up is no longer in the queue.
    const carol = await bed.enter(pooler)
    carol.send(messages.query('select 2'))
    expect(values(await carol.until('Z'))).toEqual(['2'])
  })

  it('stay when an idle client leaves, with X or without', async () => {
    const pooler = await bed.start({ poolSize: 1 })
    const [alice, bob] = [await bed.enter(pooler), await bed.enter(pooler)]
    for (const client of [alice, bob]) {
      client.send(messages.query('select 1'))
      await client.until('Z')
    }
    alice.send(messages.terminate)
    bob.end()
    await pooler.until(({ clients }) => clients === 0)
    expect(await alice.ended()).toEqual([])
    expect(pooler.stats).toMatchObject({ backendsDestroyed: 0, violations: [] })
  })

  it.each(['X', 'FIN', 'RST'])('are destroyed when a busy client leaves with %s', async (how) => {
    const pooler = await bed.start({ poolSize: 1 })
    const client = await bed.enter(pooler)
    client.send(messages.query('begin'))
    await client.until('Z')
    if (how === 'X') client.send(messages.terminate)
    else if (how === 'FIN') client.end()
    else client.reset()
    await pooler.until(({ backendsDestroyed }) => backendsDestroyed === 1)
    expect(pooler.stats).toMatchObject({ clients: 0, busy: 0 })
    // The pool has room for another one.
    const next = await bed.enter(pooler)
    next.send(messages.query('select 1'))
    expect(values(await next.until('Z'))).toEqual(['1'])
  })

  it('are destroyed by an X glued to a query, after its result', async () => {
    const pooler = await bed.start({ poolSize: 1 })
    const client = await bed.enter(pooler)
    client.send(messages.query("select 'answered'"), messages.terminate)
    expect(values(await client.until('Z'))).toEqual(['answered'])
    await pooler.until(({ backendsDestroyed }) => backendsDestroyed === 1)
    expect(pooler.stats.clients).toBe(1)
  })

  it('take their busy client with them', async () => {
    const pooler = await bed.start({ poolSize: 1 })
    const client = await bed.enter(pooler)
    client.send(messages.query('begin; select pg_backend_pid()'))
    const [pid] = values(await client.until('Z'))
    await bed.database.sql`select pg_terminate_backend(${Number(pid)}::int)`
    // A FATAL is forwarded as any other reply; nothing is added to it.
    expect(await lastWords(client)).toBe(
      'FATAL 57P01 terminating connection due to administrator command',
    )
    expect(pooler.stats).toMatchObject({ clients: 0, backendsDestroyed: 1 })
  })

  it('run what a client left in the queue (ghost execution)', async () => {
    const pooler = await bed.start({ poolSize: 1 })
    const [alice, bob] = [await bed.enter(pooler), await bed.enter(pooler)]
    const heard = new Promise<string>((resolve) => {
      void bed.database.sql.listen('ghosts', resolve, async () => {
        alice.send(messages.query('begin'))
        await alice.until('Z')
        bob.send(messages.query("notify ghosts, 'I ran'"))
        bob.end()
        alice.send(messages.query('commit'))
      })
    })
    expect(await heard).toBe('I ran')
    await pooler.until(({ backendsDestroyed }) => backendsDestroyed === 1)
    expect(pooler.stats.clients).toBe(1)
  })
})

describe('a CancelRequest', () => {
  it('is mapped to the backend of a busy client', async () => {
    const pooler = await bed.start()
    const client = await bed.connect(pooler)
    const greeting = await client.login(bed.login(pooler))
    const key = greeting.find(({ tag }) => tag === 'K')?.payload ?? Buffer.alloc(8)
    const cancel = messages.cancelRequest(key.readUInt32BE(0), key.readUInt32BE(4))
    const idle = await bed.connect(pooler)
    idle.send(cancel)
    expect(await idle.ended()).toEqual([])
    expect(pooler.stats.cancels).toBe(0)
    // A notice is flushed at once, so that the statement is seen to run.
    client.send(messages.query("do $$ begin raise notice 'here'; perform pg_sleep(600); end $$"))
    await client.until('N')
    const canceller = await bed.connect(pooler)
    canceller.send(cancel)
    const [error] = await client.until('Z')
    expect(messages.errorFields(error?.payload ?? Buffer.alloc(0)).C).toBe('57014')
    expect(await canceller.ended()).toEqual([])
    expect(pooler.stats).toMatchObject({ cancels: 1, backendsDestroyed: 0, violations: [] })
  })
})
