import { neon, neonConfig } from '@neondatabase/serverless'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { RUNTIMES, type RunningGateway, TOKEN } from '../support/gateway-bed.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { postgres } = inject('servers')

/** The beginning of a request, and then nothing, or a space whenever the timer says so. */
function unfinished(everyMs?: number): ReadableStream<Uint8Array> {
  let timer: ReturnType<typeof setInterval> | undefined
  return new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('{'))
      if (everyMs === undefined) return
      timer = setInterval(() => controller.enqueue(new TextEncoder().encode(' ')), everyMs)
    },
    cancel: () => clearInterval(timer),
  })
}

describe.each(RUNTIMES)('a body that does not come on %s', (_name, start) => {
  let bed: TestDatabase
  let gateway: RunningGateway
  const started: AsyncDisposable[] = []
  beforeAll(async () => {
    bed = await createTestDatabase()
  })
  afterEach(async () => {
    neonConfig.fetchFunction = undefined
    for (const each of started.splice(0)) await each[Symbol.asyncDispose]()
  })
  afterAll(() => bed?.[Symbol.asyncDispose]())

  async function begin(limits: { idleTimeoutMs?: number; bodyTimeoutMs?: number }): Promise<void> {
    const targets = [`${postgres.host}:${postgres.port}`]
    gateway = await start({ targets, maxConnections: 1, ...limits })
    started.push(gateway)
    neonConfig.fetchEndpoint = `http://${gateway.host}/sql`
  }

  function sql(): ReturnType<typeof neon> {
    return neon(bed.url(postgres), { authToken: TOKEN })
  }

  /** Has the driver send something else than it wants to. */
  function sending(body: () => ReadableStream<Uint8Array>, signal?: AbortSignal): void {
    neonConfig.fetchFunction = (url: string, init: object) =>
      fetch(url, { ...init, body: body(), duplex: 'half', signal: signal ?? null } as RequestInit)
  }

  it.each([
    ['stands still', { idleTimeoutMs: 200 }, undefined],
    ['takes too long as a whole', { idleTimeoutMs: 20_000, bodyTimeoutMs: 400 }, 20],
  ])('is given up where it %s, and gives its place back', async (_what, limits, everyMs) => {
    await begin(limits)
    sending(() => unfinished(everyMs))
    await expect(sql()`select 1`).rejects.toThrow(
      'Server error (HTTP status 408): {"message":"The body of the request did not arrive in time."',
    )
    neonConfig.fetchFunction = undefined
    // On a machine that stands still for a moment, the body of this one can be late as well.
    await expect.poll(() => sql()`select 1 as one`.catch(String)).toEqual([{ one: 1 }])
  })

  it('is no longer waited for when its client leaves', async () => {
    await begin({})
    const leaving = new AbortController()
    sending(() => unfinished(), leaving.signal)
    // The one that is refused tells that the other one has the place.
    const asked = [sql()`select 1`.catch(String), sql()`select 1`.catch(String)]
    expect(await Promise.race(asked)).toContain('ERR_GATEWAY_LIMIT')
    neonConfig.fetchFunction = undefined
    await expect(sql()`select 1 as one`).rejects.toThrow('ERR_GATEWAY_LIMIT')
    leaving.abort()
    await Promise.all(asked)
    await expect.poll(() => sql()`select 1 as one`.catch(String)).toEqual([{ one: 1 }])
    if (gateway.runtime === 'workerd') return
    expect(gateway.events).toContainEqual({ type: 'refused', path: '/sql', code: 'ERR_ABORTED' })
  })

  it('is not missed where it comes in pieces', async () => {
    await begin({ idleTimeoutMs: 20_000 })
    const bytes = new TextEncoder().encode('{"query":"select \'žluť\' as word"}')
    sending(
      () =>
        new ReadableStream({
          start(controller) {
            for (const byte of bytes) controller.enqueue(new Uint8Array([byte]))
            controller.close()
          },
        }),
    )
    expect(await sql()`select 1`).toEqual([{ word: 'žluť' }])
  })
})
