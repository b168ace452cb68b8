import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type RunningWorker, runWorker } from '../support/run-worker.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer } = inject('servers')

describe.skipIf(!pgbouncer).each(['drizzle', 'kysely'])('the example for %s', (name) => {
  let bed: TestDatabase
  let worker: RunningWorker

  beforeAll(async () => {
    if (!pgbouncer) return
    bed = await createTestDatabase()
    await bed.sql.unsafe(await readFile(`examples/${name}/seed.sql`, 'utf8'))
    worker = await runWorker(`examples/${name}/src/index.ts`, { DATABASE_URL: bed.url(pgbouncer) })
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
    expect(JSON.stringify(list[0]?.author)).toContain('Le Guin')
    expect(await get('/books/3')).toMatchObject({ title: 'Solaris' })
    expect((await fetch(worker.at('/books/99'))).status).toBe(404)
    expect((await fetch(worker.at('/books/99999999999'))).status).toBe(400)
  })

  it('adds author and book together, and refuses what is none', async () => {
    const added = await post({ title: 'Kindred', author: 'Octavia E. Butler' })
    expect(added.status).toBe(201)
    const { id } = (await added.json()) as { id: number }
    expect((await post({ title: 'Wild Seed', author: 'Octavia E. Butler' })).status).toBe(201)
    expect(await get(`/books/${id}`)).toMatchObject({ title: 'Kindred' })
    expect(await bed.sql`select 1 from authors`).toHaveLength(3)
    for (const body of [{}, { title: ' ', author: 'x' }, { title: 'a\0', author: 'x' }]) {
      expect((await post(body)).status).toBe(400)
    }
  })

  it('shows what only it can', async () => {
    if (name === 'kysely') {
      const lines = (await (await fetch(worker.at('/books.ndjson'))).text()).trim().split('\n')
      expect(lines.length).toBeGreaterThanOrEqual(3)
      expect(JSON.parse(lines[0] ?? '')).toMatchObject({ id: 1 })
    } else {
      await get('/latest')
      expect(await get('/latest')).toMatchObject({ latest: expect.any(Array) })
    }
    await expect.poll(() => bed.pooledClients()).toBe(0)
  })
})
