import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type RunningWorker, runWorker } from '../support/run-worker.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer } = inject('servers')

const DUNE = { title: 'Dune', author: 'Frank Herbert', year: 1965, isbn: '9780441013593' }

describe.skipIf(!pgbouncer)('the example for Cloudflare Workers', () => {
  let bed: TestDatabase
  let worker: RunningWorker

  beforeAll(async () => {
    if (!pgbouncer) return
    bed = await createTestDatabase()
    await bed.sql.unsafe(await readFile('examples/cloudflare-workers/seed.sql', 'utf8'))
    worker = await runWorker('examples/cloudflare-workers/src/index.ts', {
      DATABASE_URL: bed.url(pgbouncer),
    })
  })
  afterAll(async () => {
    await worker?.[Symbol.asyncDispose]()
    await bed?.[Symbol.asyncDispose]()
  })

  const post = (body: unknown): Promise<Response> =>
    fetch(worker.at('/books'), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })

  it('lists books with their tags', async () => {
    const response = await fetch(worker.at('/books'), {
      headers: { 'accept-encoding': 'identity' },
    })
    expect(Number(response.headers.get('content-length'))).toBeGreaterThan(1000)
    const books = (await response.json()) as { title: string; tags: string[] }[]
    expect(books).toHaveLength(20)
    expect(books.every(({ tags }) => Array.isArray(tags))).toBe(true)
  })

  it('finds one book, and says when there is none', async () => {
    expect(await (await fetch(worker.at('/books/1'))).json()).toMatchObject({ id: '1' })
    expect((await fetch(worker.at('/books/999999'))).status).toBe(404)
    expect((await fetch(worker.at('/books/x'))).status).toBe(404)
    expect((await fetch(worker.at('/books/99999999999999999999'))).status).toBe(400)
  })

  it('adds a book once', async () => {
    const added = await post({ ...DUNE, tags: ['science fiction'] })
    expect(added.status).toBe(201)
    const found = await fetch(worker.at(added.headers.get('location') ?? ''))
    expect(await found.json()).toMatchObject({ ...DUNE, tags: ['science fiction'] })
    const again = await post(DUNE)
    expect(again.status).toBe(409)
    expect(await again.json()).toMatchObject({ field: 'isbn' })
  })

  it.each([
    ['title', { ...DUNE, title: ' ' }],
    ['isbn', { ...DUNE, isbn: '1' }],
    ['year', { ...DUNE, year: 1.5 }],
    ['author', { title: 'Dune', isbn: DUNE.isbn }],
    ['title', { ...DUNE, title: 'A\0' }],
    ['tags.0', { ...DUNE, tags: ['\0'] }],
  ])('names the field %s that is wrong', async (field, body) => {
    const response = await post(body)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ fields: [{ field }] })
  })

  it('refuses what is no JSON', async () => {
    for (const body of ['{bad', '']) {
      const headers = { 'content-type': 'application/json' }
      const response = await fetch(worker.at('/books'), { method: 'POST', headers, body })
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ error: expect.stringContaining('JSON') })
    }
  })

  it('streams all books as lines', async () => {
    const text = await (await fetch(worker.at('/books.ndjson'))).text()
    const lines = text.trimEnd().split('\n')
    expect(lines.length).toBeGreaterThanOrEqual(20)
    expect(lines.map((line) => Object.keys(JSON.parse(line) as object))[0]).toContain('title')
  })

  it('tells what its health check cost: TCP, start-up, two for SCRAM and the query', async () => {
    const response = await fetch(worker.at('/healthz'))
    expect(await response.json()).toEqual({ pooler: 'reachable', roundTrips: 5 })
  })

  it('leaves no connection behind', async () => {
    await expect.poll(() => bed.pooledClients()).toBe(0)
  })
})
