import { createDatabase } from 'nullpool'
import { describe, inject, it, vi } from 'vitest'
import { workerdBed } from '../support/workerd-bed.ts'

const { pgbouncer } = inject('servers')

describe.skipIf(!pgbouncer)('run() for handlers without a framework', () => {
  const bed = workerdBed()
  const database = () => createDatabase({ url: bed.url })

  it('closes behind a scheduled job, in waitUntil', async ({ expect }) => {
    const background: Promise<unknown>[] = []
    const waitUntil = (promise: Promise<unknown>) => void background.push(promise)
    const rows = await database().run({ waitUntil }, async ({ sql }) => sql`select 1 as n`)
    expect(rows[0]).toEqual({ n: 1 })
    expect(background).toHaveLength(1)
    await Promise.all(background)
    await expect.poll(() => bed.pooledClients()).toBe(0)
  })

  it('closes when the work throws, and passes the error on unchanged', async ({ expect }) => {
    const failure = new Error('the job failed')
    const running = database().run({}, async ({ sql }) => {
      await sql`select 1`
      throw failure
    })
    await expect(running).rejects.toBe(failure)
    await expect.poll(() => bed.pooledClients()).toBe(0)
    await expect.poll(() => bed.idleInTransaction()).toBe(0)
  })

  it('keeps the connection for the body of a streamed Response', async ({ expect }) => {
    const response = await database().run({}, async ({ sql, metrics }) => {
      expect(metrics.connects).toBe(0)
      let n = 0
      return new Response(
        new ReadableStream({
          async pull(controller) {
            n += 1
            if (n > 3) return controller.close()
            const [row] = await sql`select ${n}::int as n`
            controller.enqueue(new TextEncoder().encode(`${row?.n} `))
          },
        }),
      )
    })
    expect(await response.text()).toBe('1 2 3 ')
    await expect.poll(() => bed.pooledClients()).toBe(0)
  })

  it('takes a Hyperdrive binding before anything else', async ({ expect }) => {
    const env = {
      DB: { connectionString: bed.url, ...bed.at },
      DATABASE_URL: 'postgres://a:b@nowhere/c',
    }
    const rows = await createDatabase().run({ env }, async ({ sql }) => sql`select 2 as n`)
    expect(rows[0]).toEqual({ n: 2 })
  })

  it('writes once to the log that SUPABASE_DB_URL is the wrong one', async ({ expect }) => {
    const warn = vi.spyOn(console, 'warn').mockReturnValue()
    const env = { SUPABASE_DB_URL: 'postgres://postgres:sesame@db.nowhere.invalid/postgres' }
    for (const _ of [1, 2]) {
      const asking = createDatabase().run({ env }, async ({ sql }) => sql`select 1`)
      await expect(asking).rejects.toThrow()
    }
    const written = warn.mock.calls.flat().join()
    expect(written.match(/supabase-db-url-is-direct/g)).toHaveLength(1)
    expect(written).toContain('such as DATABASE_URL')
    expect(written).not.toContain('sesame')
    warn.mockRestore()
  })
})
