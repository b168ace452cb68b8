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
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

interface WholeSample {
  fetch?(request: Request, env: unknown, context: unknown): Response | Promise<Response>
  scheduled?(event: unknown, env: unknown, context: unknown): unknown
}

const { pgbouncer } = inject('servers')
const samples = await writeSamples()
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
    expect(await database.idleInTransaction()).toBe(0)
  })

  async function runWhole({ default: program }: { default: WholeSample }, marks: string) {
    const path = /GET (\S+)/.exec(marks)?.[1]
    if (path === undefined) {
      if (!program.scheduled) throw new Error('It exports no scheduled().')
      await program.scheduled({ cron: '* * * * *' }, {}, context)
      return
    }
    const response = await program.fetch?.(new Request(`http://localhost${path}`), {}, context)
    expect(response?.status).toBe(200)
    const answer = await response?.json()
    expect(Array.isArray(answer) ? answer.length : Object.keys(answer).length).toBeGreaterThan(0)
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
