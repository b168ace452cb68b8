import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type RunningWorker, runWorker } from '../support/run-worker.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer } = inject('servers')

describe.skipIf(!pgbouncer)('the example for Neon’s driver, in workerd', () => {
  let bed: TestDatabase
  let worker: RunningWorker

  beforeAll(async () => {
    if (!pgbouncer) return
    bed = await createTestDatabase()
    await bed.sql.unsafe(await readFile('examples/neon/seed.sql', 'utf8'))
    worker = await runWorker('examples/neon/src/index.ts', { DATABASE_URL: bed.url(pgbouncer) })
  })
  afterAll(async () => {
    await worker?.[Symbol.asyncDispose]()
    await bed?.[Symbol.asyncDispose]()
  })
  const get = async (path: string): Promise<unknown> => (await fetch(worker.at(path))).json()
  const post = (body: unknown): Promise<Response> =>
    fetch(worker.at('/books'), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })

  it('lists books with their authors, and finds one', async () => {
    const list = (await get('/books')) as { title: string; author: unknown }[]
    expect(list.map(({ title }) => title).sort()).toEqual([
      'Solaris',
      'The Dispossessed',
      'The Lathe of Heaven',
    ])
    expect(list[0]?.author).toMatchObject({ name: 'Ursula K. Le Guin' })
    expect(await get('/books/3')).toEqual({ id: 3, title: 'Solaris' })
    expect((await fetch(worker.at('/books/99'))).status).toBe(404)
    expect((await fetch(worker.at('/books/99999999999'))).status).toBe(400)
  })

  it('adds author and book together, and refuses what is none', async () => {
    const added = await post({ title: 'Kindred', author: 'Octavia E. Butler' })
    expect(added.status).toBe(201)
    const { id } = (await added.json()) as { id: number }
    expect((await post({ title: 'Wild Seed', author: 'Octavia E. Butler' })).status).toBe(201)
    expect(await get(`/books/${id}`)).toEqual({ id, title: 'Kindred' })
    expect(await bed.sql`select 1 from authors`).toHaveLength(3)
    for (const body of [{}, { title: ' ', author: 'x' }, { title: 'a\0', author: 'x' }]) {
      expect((await post(body)).status).toBe(400)
    }
  })

  it('serves many requests side by side, each on its own connection, and keeps none', async () => {
    const many = await Promise.all(Array.from({ length: 20 }, () => get('/cost')))
    // TCP, three trips of a login that any pooler takes, one statement.
    for (const one of many) expect(one).toMatchObject({ books: 5, roundTrips: 5 })
    await expect.poll(() => bed.pooledClients()).toBe(0)
  })
})
