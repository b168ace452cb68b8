import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

/** The oldest that is taken reads TypeScript when told to; others take no notice. */
const NODE_22 = { NODE_OPTIONS: '--experimental-strip-types --no-warnings' }

const VARIANTS = [
  ['a pool', 'node_modules/.bin/node', 'index.ts', postgres],
  ['a pool, in Node 22', 'test/node22/node_modules/.bin/node', 'index.ts', postgres],
  ['a pool, in Bun', 'node_modules/.bin/bun', 'index.ts', postgres],
  ['a connection for each request', 'node_modules/.bin/node', 'per-request.ts', pgbouncer],
  ['a connection for each request, in Bun', 'node_modules/.bin/bun', 'per-request.ts', pgbouncer],
] as const

let bed: TestDatabase
beforeAll(async () => {
  bed = await createTestDatabase()
})
afterAll(() => bed[Symbol.asyncDispose]())

describe.each(VARIANTS)('the example for a server, with %s', (_name, runtime, file, target) => {
  describe.skipIf(!target)('', () => {
    let child: ChildProcess
    let at = ''
    beforeEach(async () => {
      await bed.sql.unsafe('drop table if exists books, removals')
      await bed.sql.unsafe(await readFile('examples/node-server/schema.sql', 'utf8'))
      child = spawn(runtime, [`examples/node-server/src/${file}`], {
        env: { ...process.env, ...NODE_22, DATABASE_URL: bed.url(target ?? postgres), PORT: '0' },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      if (!child.stdout) throw new Error('It has no output.')
      const [line] = await Promise.race([
        once(createInterface(child.stdout), 'line'),
        once(child, 'exit').then(([code]) => Promise.reject(new Error(`It ended with ${code}.`))),
      ])
      at = line
    })
    afterEach(() => {
      child.kill('SIGKILL')
    })

    it('serves books, and ends in order', async () => {
      const { books, total } = (await (await fetch(`${at}/books`)).json()) as {
        books: { id: number; title: string }[]
        total: number
      }
      expect(total).toBe(4)
      expect(books.map(({ title }) => title)).toContain('Momo')
      const momo = books.find(({ title }) => title === 'Momo')
      const found = await Promise.all(
        Array.from({ length: 30 }, async () => (await fetch(`${at}/books/${momo?.id}`)).json()),
      )
      for (const book of found) expect(book).toEqual(momo)
      expect((await fetch(`${at}/books/999999`)).status).toBe(404)
      const remove = (): Promise<Response> => fetch(`${at}/books/${momo?.id}`, { method: 'DELETE' })
      expect(await (await remove()).json()).toEqual({ title: 'Momo' })
      expect((await remove()).status).toBe(404)
      expect(await bed.sql`select title from removals`).toEqual([{ title: 'Momo' }])
      if (file === 'index.ts') {
        // What is beyond poolSize leaves as soon as the server has said goodbye to it.
        const stats = async (): Promise<unknown> => (await fetch(`${at}/pool`)).json()
        await expect.poll(stats).toMatchObject({ overflow: 0, waiting: 0 })
        expect(await stats()).toMatchObject({ size: expect.toSatisfy((size) => size <= 5) })
      }
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      expect(await ended).toEqual([0, null])
    })
  })
})
