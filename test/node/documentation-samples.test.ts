import { Hono } from 'hono'
import { type NullpoolVariables, nullpool } from 'nullpool/hono'
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest'
import {
  compileSamples,
  removeSamples,
  sampleValues,
  seedSamples,
  writeSamples,
} from '../support/documentation-samples.ts'
import { runWorker } from '../support/run-worker.ts'
import { serveProgram } from '../support/served-program.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

interface WholeSample {
  fetch?(request: Request, env: unknown, context: unknown): Response | Promise<Response>
  scheduled?(event: unknown, env: unknown, context: unknown): unknown
}

const { pgbouncer } = inject('servers')
const samples = await writeSamples()
const pathOf = (marks: string): string => /GET (\S+)/.exec(marks)?.[1] ?? ''
const apps = samples.filter(({ marks }) => pathOf(marks) !== '')
const runnable = samples.filter(({ marks }) => marks !== '')

afterAll(removeSamples)

describe('the samples of README.md and docs/', () => {
  it('compile', { timeout: 120_000 }, async () => {
    expect(await compileSamples()).toBe('')
  })

  it('are marked in a way that is known', () => {
    for (const { name, marks } of samples) {
      expect(marks, name).toMatch(/^(|run|run GET \/\S*|run scheduled)$/)
    }
  })
})

describe.skipIf(!pgbouncer)('the samples that run', () => {
  let database: TestDatabase
  let background: Promise<unknown>[] = []
  const context = {
    waitUntil: (promise: Promise<unknown>) => void background.push(promise),
    passThroughOnException() {},
    props: {},
  }
  beforeAll(async () => {
    if (!pgbouncer) throw new Error('PgBouncer is not installed')
    database = await createTestDatabase()
    await seedSamples(database.sql)
    vi.stubEnv('DATABASE_URL', database.url(pgbouncer))
    for (const [name, value] of Object.entries(sampleValues)) vi.stubGlobal(name, value)
  })
  afterAll(async () => {
    vi.unstubAllGlobals()
    vi.unstubAllEnvs()
    await database[Symbol.asyncDispose]()
  })

  it.each(runnable)('$name does, and leaves no connection', async ({ file, whole, marks }) => {
    background = []
    if (whole) await runWhole(await import(file), marks)
    else await runInside((await import(file)).sample)
    await Promise.all(background)
    await expect.poll(() => database.pooledClients()).toBe(0)
    await expect.poll(() => database.idleInTransaction()).toBe(0)
  })

  it.each(apps)(
    '$name is served by workerd, too',
    { timeout: 120_000 },
    async ({ file, marks }) => {
      const url = process.env.DATABASE_URL ?? ''
      await using worker = await runWorker(file, { DATABASE_URL: url })
      const response = await fetch(worker.at(pathOf(marks)))
      await expectBooks(response)
      await expect.poll(() => database.pooledClients()).toBe(0)
    },
  )

  it.each(apps)('$name is served by Deno, too', { timeout: 120_000 }, async ({ file, marks }) => {
    const DATABASE_URL = process.env.DATABASE_URL ?? ''
    const permissions = ['--no-prompt', '--allow-net', '--allow-env']
    const address = ['--host=127.0.0.1', '--port=0', '--no-check']
    const modules = ['--node-modules-dir=manual', '--import-map=test/deno/import-map.json']
    await using program = await serveProgram(
      'deno',
      ['serve', ...permissions, ...address, ...modules, file],
      { DATABASE_URL },
    )
    const response = await fetch(program.at(pathOf(marks)))
    await expectBooks(response)
    await expect.poll(() => database.pooledClients()).toBe(0)
  })

  /** Every app of these pages lists the books. */
  async function expectBooks(response: Response | undefined): Promise<void> {
    expect(response?.status).toBe(200)
    const answer = (await response?.json()) as { title: string }[]
    const rows = await database.sql`select title from books order by id`
    expect(answer.map(({ title }) => title)).toEqual(rows.map(({ title }) => title))
  }

  async function runWhole({ default: program }: { default: WholeSample }, marks: string) {
    const path = pathOf(marks)
    if (path === '') {
      if (!program.scheduled) throw new Error('It exports no scheduled().')
      await program.scheduled({ cron: '* * * * *' }, {}, context)
      return
    }
    const response = await program.fetch?.(new Request(`http://localhost${path}`), {}, context)
    await expectBooks(response)
  }

  async function runInside(sample: () => Promise<unknown>): Promise<void> {
    const app = new Hono<{ Variables: NullpoolVariables }>()
    app.onError((error) => {
      throw error
    })
    app.use(nullpool())
    app.get('/', async (c) => {
      vi.stubGlobal('c', c)
      vi.stubGlobal('app', new Hono())
      await sample()
      return c.text('done')
    })
    expect(await (await app.request('/', {}, {}, context)).text()).toBe('done')
  }
})
