import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { StrictPooler } from '../support/strict-pooler.ts'
import { StrictPoolerBed, tags, values } from '../support/strict-pooler-bed.ts'
import * as messages from '../support/wire-messages.ts'

let bed: StrictPoolerBed

beforeAll(async () => {
  bed = await StrictPoolerBed.create()
})
afterEach(() => bed.clear())
afterAll(() => bed[Symbol.asyncDispose]())

/** The driver as it is, with the options that everybody uses in transaction mode. */
function driver(pooler: StrictPooler): postgres.Sql {
  const { host, port } = pooler
  return postgres({ ...bed.login(pooler), host, port, prepare: false, fetch_types: false, max: 1 })
}

describe('one ReadyForQuery awaited at a time', () => {
  it('postgres.js works as long as every query has a parameter', async () => {
    const pooler = await bed.start()
    const sql = driver(pooler)
    const queries = [1, 2, 3, 4, 5].map((number) => sql`select ${number}::int as number`)
    const rows = (await Promise.all(queries)).map(([row]) => row?.number)
    expect(rows).toEqual([1, 2, 3, 4, 5])
    const settings = await sql.begin(async (transaction) => {
      await transaction`select set_config('nullpool.claim', ${'mine'}, true)`
      return transaction`select current_setting(${'nullpool.claim'}) as claim`
    })
    expect(settings).toEqual([{ claim: 'mine' }])
    await expect(sql`select 1 / ${0}::int`).rejects.toMatchObject({ code: '22012' })
    await sql.end()
    await pooler.until(({ clients }) => clients === 0)
    expect(pooler.stats).toMatchObject({
      ...{ violations: [], maxOutstanding: 1, backendsDestroyed: 0, busy: 0 },
    })
  })

  it('many clients share few backends', async () => {
    const pooler = await bed.start({ poolSize: 2 })
    const clients = Array.from({ length: 10 }, () => driver(pooler))
    const answers = clients.map(async (sql, client) => {
      const rows: unknown[] = []
      for (let query = 0; query < 5; query += 1) {
        const [row] = await sql`select ${client}::int as client, pg_backend_pid() as pid`
        rows.push(row)
      }
      return rows as { client: number; pid: number }[]
    })
    const rows = await Promise.all(answers)
    expect(rows.map((mine) => mine.map(({ client }) => client))).toEqual(
      clients.map((_, client) => Array(5).fill(client)),
    )
    expect(new Set(rows.flat().map(({ pid }) => pid)).size).toBeLessThanOrEqual(2)
    await Promise.all(clients.map((sql) => sql.end()))
    expect(pooler.stats).toMatchObject({ violations: [], maxOutstanding: 1, backendsDestroyed: 0 })
  })

  it('large results and large parameters pass', async () => {
    const pooler = await bed.start()
    const sql = driver(pooler)
    const text = 'nullpool'.repeat(100_000)
    const [row] = await sql`select ${text}::text as text`
    expect(row?.text).toBe(text)
    const rows = await sql`select generate_series(1, ${50_000}::int) as number`
    expect(rows.at(-1)).toEqual({ number: 50_000 })
    await sql.end()
    expect(pooler.stats.violations).toEqual([])
  })

  it('several statements in one flight are one ReadyForQuery', async () => {
    const pooler = await bed.start()
    const client = await bed.enter(pooler)
    client.send(
      messages.extended("select set_config('nullpool.claim', $1, true)", ['mine']),
      messages.extended("select current_setting('nullpool.claim')"),
      messages.sync,
    )
    expect(values(await client.until('Z'))).toEqual(['mine', 'mine'])
    expect(pooler.stats).toMatchObject({ violations: [], maxOutstanding: 1 })
  })
})

describe('several ReadyForQuery awaited at once', () => {
  it('postgres.js loses the replies, and takes the next one for them', async () => {
    const pooler = await bed.start()
    const sql = driver(pooler)
    await sql`select 0`
    const [first, second, third] = [sql`select 'first'`, sql`select 'second'`, sql`select 'third'`]
    const settled: string[] = []
    for (const [name, query] of Object.entries({ first, second, third })) {
      query.then(
        () => settled.push(`${name} resolved`),
        () => settled.push(`${name} rejected`),
      )
    }
    await first
    const { violations } = pooler.stats
    const isDropped = (text: string): boolean => text.endsWith('came after the release: dropped')
    await pooler.until(() => violations.filter(isDropped).length === 2)
    // A round trip on the same model: whatever was still on its way has arrived by then.
    const other = driver(pooler)
    await other`select 1`
    await other.end()
    expect(settled).toEqual(['first resolved'])
    expect(violations.filter((text) => !isDropped(text))).toEqual([
      'client 1: 3 ReadyForQuery awaited at once',
      expect.stringMatching(/^pool .*: released with 2 more replies to come$/),
    ])
    expect(pooler.stats.maxOutstanding).toBe(3)
    // The rows of another query are the answer to the second one.
    const fourth = sql`select 'fourth' as text`
    fourth.catch(() => {})
    expect(await second).toEqual([{ text: 'fourth' }])
    await sql.end({ timeout: 0 })
  })

  it('a late reply reaches whoever has the backend', async () => {
    const pooler = await bed.start({ poolSize: 1 })
    const [alice, bob] = [await bed.enter(pooler), await bed.enter(pooler)]
    const lock = await bed.database.sql.reserve()
    await lock`select pg_advisory_lock(1)`
    alice.send(
      messages.query("select 'for alice'"),
      messages.query("select 'secret of alice' from pg_advisory_xact_lock(1)"),
    )
    expect(values(await alice.until('Z'))).toEqual(['for alice'])
    bob.send(messages.query("select 'for bob'"))
    await pooler.until(({ busy }) => busy === 1)
    await lock`select pg_advisory_unlock(1)`
    lock.release()
    expect(values(await bob.until('Z'))).toEqual(['secret of alice'])
    expect(pooler.stats.violations).toContainEqual(
      expect.stringMatching(/came after the release: given to the next client$/),
    )
  })

  it('a flight that starts with Sync loses its tail', async () => {
    const pooler = await bed.start()
    const client = await bed.enter(pooler)
    const tail = Buffer.concat([messages.extended("select 'lost'"), messages.sync])
    client.send(messages.sync, tail)
    expect(tags(await client.until('Z'))).toBe('Z')
    expect(pooler.stats.violations).toEqual([
      'client 1: 2 ReadyForQuery awaited at once',
      `client 1: ${tail.length} bytes after a leading Sync dropped`,
    ])
    client.send(messages.query("select 'next'"))
    expect(values(await client.until('Z'))).toEqual(['next'])
  })

  it('a Sync alone is answered without a backend', async () => {
    const pooler = await bed.start()
    const client = await bed.enter(pooler)
    client.send(messages.sync)
    expect(tags(await client.until('Z'))).toBe('Z')
    expect(pooler.stats).toMatchObject({ violations: [], maxOutstanding: 1, busy: 0 })
  })

  it('a FunctionCall is one too', async () => {
    const pooler = await bed.start()
    const client = await bed.enter(pooler)
    const PI = 1610
    const payload = Buffer.alloc(10)
    payload.writeUInt32BE(PI)
    client.send(messages.message('F', payload))
    expect(tags(await client.until('Z'))).toBe('VZ')
    expect(pooler.stats).toMatchObject({ functionCalls: 1, maxOutstanding: 1, violations: [] })
  })
})

describe('the model itself', () => {
  it('sends its heartbeat unasked', async () => {
    const pooler = await bed.start()
    const client = await bed.enter(pooler)
    pooler.heartbeat()
    const { tag, payload } = await client.next()
    expect([tag, payload.toString()]).toEqual(['S', 'application_name\0Supavisor\0'])
  })

  it('counts from zero after a reset', async () => {
    const pooler = await bed.start()
    const client = await bed.enter(pooler)
    client.send(messages.query('select 1'), messages.query('select 2'))
    await client.until('Z')
    expect(pooler.stats.violations).not.toEqual([])
    const { stats } = pooler
    pooler.reset()
    expect(stats).toMatchObject({ clients: 1, maxClientsSeen: 1, logins: 0, maxOutstanding: 0 })
    expect(stats.violations).toEqual([])
  })

  it('tells whoever waits in vain what it saw', async () => {
    const pooler = await bed.start()
    await bed.enter(pooler)
    const never = pooler.until(({ clients }) => clients === 7)
    await pooler.stop()
    await expect(never).rejects.toThrow('"logins":1')
  })
})
