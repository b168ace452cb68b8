import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type RunningWorker, runWorker } from '../support/run-worker.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer } = inject('servers')

describe.skipIf(!pgbouncer)('1,000 requests through workerd against PgBouncer', () => {
  let bed: TestDatabase
  let worker: RunningWorker

  beforeAll(async () => {
    if (!pgbouncer) return
    bed = await createTestDatabase()
    worker = await runWorker('test/support/storm-worker.ts', { DATABASE_URL: bed.url(pgbouncer) })
  })

  afterAll(async () => {
    await worker?.[Symbol.asyncDispose]()
    await bed?.[Symbol.asyncDispose]()
  })

  it('are all answered right and leave nothing behind', { timeout: 120_000 }, async () => {
    const random = seeded(20_261_123)
    const queue = Array.from({ length: 1000 }, (_, n) => ({ n, kind: pick(KINDS, random()) }))
    const failures: string[] = []
    const work = async (): Promise<void> => {
      for (let next = queue.shift(); next; next = queue.shift()) {
        const failure = await request(worker, next.kind, next.n, random())
        if (failure) failures.push(failure)
      }
    }
    await Promise.all(Array.from({ length: 20 }, work))
    expect(failures).toEqual([])
    await expect.poll(() => bed.pooledClients()).toBe(0)
    await expect.poll(() => bed.idleInTransaction()).toBe(0)
  })
})

const KINDS = [
  'none',
  'value',
  'value',
  'five',
  'begin',
  'throw',
  'dangling',
  'stream',
  'cursor',
  'slow',
  'abort',
  'abort-stream',
  'impatient',
] as const
type Kind = (typeof KINDS)[number]

/** What went wrong, or nothing. */
async function request(
  worker: RunningWorker,
  kind: Kind,
  n: number,
  chance: number,
): Promise<string | undefined> {
  if (kind === 'abort') return abortedRequest(worker, `/slow/${n}`, chance)
  if (kind === 'abort-stream') return abortedRequest(worker, `/cursor/${n}`, chance)
  const response = await fetch(worker.at(`/${kind}/${n}`))
  const text = await response.text()
  const got = `${kind}/${n}: ${response.status} ${text.slice(0, 200)}`
  switch (kind) {
    case 'throw':
      return response.status === 500 && text === `thrown ${n}` ? undefined : got
    case 'dangling':
      return response.status === 500 && text === `dangling ${n}` ? undefined : got
    case 'impatient':
      return response.status === 504 ? undefined : got
    case 'stream':
      return text === `${n}\n${n}\n${n}\n1\n` ? undefined : got
    case 'cursor':
      return text === `${n}\n`.repeat(500) ? undefined : got
    default: {
      const connects = kind === 'none' ? 0 : 1
      return text === JSON.stringify({ n, connects }) ? undefined : got
    }
  }
}

async function abortedRequest(
  worker: RunningWorker,
  path: string,
  chance: number,
): Promise<string | undefined> {
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(), chance * 60)
  try {
    const response = await fetch(worker.at(path), { signal: controller.signal })
    const reader = response.body?.getReader()
    await reader?.read()
    controller.abort()
    return undefined
  } catch (error) {
    return error instanceof Error && error.name === 'AbortError' ? undefined : String(error)
  } finally {
    clearTimeout(timer)
  }
}

function pick<T>(values: readonly T[], chance: number): T {
  return values[Math.floor(chance * values.length)] as T
}

/** A linear congruential generator: the same storm each time. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return state / 4_294_967_296
  }
}
