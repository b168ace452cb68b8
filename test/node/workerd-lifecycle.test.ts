import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type RunningWorker, runWorker } from '../support/run-worker.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer } = inject('servers')

describe.skipIf(!pgbouncer)('nullpool() in workerd', () => {
  let bed: TestDatabase
  let worker: RunningWorker

  beforeAll(async () => {
    if (!pgbouncer) return
    bed = await createTestDatabase()
    const bindings = { DATABASE_URL: bed.url(pgbouncer) }
    worker = await runWorker('test/support/storm-worker.ts', bindings)
  })
  afterAll(async () => {
    await worker?.[Symbol.asyncDispose]()
    await bed?.[Symbol.asyncDispose]()
  })

  const expectClosed = async (): Promise<void> => {
    await expect.poll(() => bed.pooledClients()).toBe(0)
    await expect.poll(() => bed.idleInTransaction()).toBe(0)
  }

  it('closes behind an upgrade to a WebSocket, and says so to its messages', async () => {
    const url = worker.at('/socket/7')
    url.protocol = 'ws:'
    const socket = new WebSocket(url)
    const messages: string[] = []
    socket.addEventListener('message', ({ data }) => messages.push(String(data)))
    await expect.poll(() => messages).toEqual(['7'])
    await expectClosed()
    socket.send('query')
    await expect.poll(() => messages).toEqual(['7', 'ERR_SCOPE_CLOSED'])
    socket.close()
  })

  it('closes behind HEAD', async () => {
    const response = await fetch(worker.at('/cursor/1'), { method: 'HEAD' })
    expect(response.status).toBe(200)
    await expectClosed()
  })

  it('cancels what runs when the client disconnects', async () => {
    const request = worker.ask('/sleep/30')
    const sleeping = async (): Promise<number> => {
      const rows = await bed.sql`
        select from pg_stat_activity
        where datname = ${bed.name} and state = 'active' and query like '%pg_sleep(%'
          and pid <> pg_backend_pid()`
      return rows.length
    }
    await expect.poll(sleeping).toBe(1)
    request.leave()
    await expect.poll(sleeping).toBe(0)
    await expectClosed()
  })
})
