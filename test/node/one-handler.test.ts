import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { contractTitle, RUNTIMES, type TestedRuntime } from '../support/contract-title.ts'
import { runEdgeFunction } from '../support/run-edge-function.ts'
import { runWorker } from '../support/run-worker.ts'
import { serveProgram } from '../support/served-program.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const HANDLER = 'examples/everywhere/handler.ts'

interface Served extends AsyncDisposable {
  at(path: string): URL
}

const node =
  (program: string, ...options: string[]) =>
  (url: string): Promise<Served> =>
    serveProgram(program, [...options, 'examples/everywhere/node.ts'], {
      DATABASE_URL: url,
      PORT: '0',
    })

/** How each runtime takes the file. */
const SERVE: Record<TestedRuntime, (url: string) => Promise<Served>> = {
  'Node 24': node(process.execPath),
  'Node 22': node(
    'test/node22/node_modules/.bin/node',
    '--experimental-strip-types',
    '--no-warnings',
  ),
  Deno: (url) =>
    serveProgram(
      'deno',
      [
        ...['serve', '--no-prompt', '--allow-net', '--allow-env', '--host=127.0.0.1', '--port=0'],
        ...['--no-check', '--node-modules-dir=manual', '--import-map=test/deno/import-map.json'],
        HANDLER,
      ],
      { DATABASE_URL: url },
    ),
  workerd: (url) => runWorker(HANDLER, { DATABASE_URL: url }),
  'workerd with Hyperdrive': (url) => runWorker(HANDLER, {}, { HYPERDRIVE: url }),
  'Vercel Edge': (url) => runEdgeFunction(HANDLER, url),
}

let bed: TestDatabase
beforeAll(async () => {
  bed = await createTestDatabase()
  await bed.sql.unsafe(await readFile('examples/cloudflare-workers/seed.sql', 'utf8'))
})
afterAll(() => bed[Symbol.asyncDispose]())

describe.each(RUNTIMES)('%s', (runtime) => {
  describe(contractTitle(runtime, 'from one handler file'), () => {
    let served: Served
    beforeAll(async () => {
      served = await SERVE[runtime](bed.url(bed.servers.postgres))
    })
    afterAll(() => served?.[Symbol.asyncDispose]())

    it('one handler file: GET /books lists the books', async () => {
      const books = await bed.sql`select id, title, author, tags from books order by id`
      const response = await fetch(served.at('/books'))
      expect(response.status).toBe(200)
      expect(await response.json()).toEqual([...books])
    })

    it('one handler file: GET /books/:id finds one, or says that there is none', async () => {
      const [moby] =
        await bed.sql`select id, title, author, tags from books where title like 'Moby%'`
      const found = await fetch(served.at(`/books/${moby?.id}`))
      expect(await found.json()).toEqual({ ...moby })
      expect((await fetch(served.at('/books/999999'))).status).toBe(404)
    })

    it('one handler file: no connection is left behind', async () => {
      const open = async (): Promise<number> => {
        const rows = await bed.sql`
          select from pg_stat_activity
          where datname = ${bed.name} and application_name = 'nullpool'`
        return rows.length
      }
      await fetch(served.at('/books'))
      await expect.poll(open).toBe(0)
    })
  })
})
