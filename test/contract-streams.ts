import assert from 'node:assert/strict'
import type { NullpoolEvent } from 'nullpool'
import type { Place, Test } from './contract.ts'

/** What every runtime must show of rows that come one after the other. */
export function streams(test: Test, { run, connect }: Place): void {
  test('sql streams a cursor in batches and may leave it early', () =>
    run(async ({ sql }) => {
      const sizes: number[] = []
      for await (const rows of sql`select generate_series(1, 250) as n`.cursor(100))
        sizes.push(rows.length)
      assert.deepEqual(sizes, [100, 100, 50])
      for await (const rows of sql`select generate_series(1, ${1000}::int) as n`.cursor(10)) {
        assert.equal(rows.length, 10)
        break
      }
      assert.equal((await sql`select 7 as n`)[0]?.n, 7)
    }))

  test('sql copies in and out', () =>
    run(async ({ sql }) => {
      await sql.begin(async (tx) => {
        await tx`create temporary table copied (n int, name text) on commit drop`
        const into = await tx`copy copied from stdin`.writable()
        await new Promise<void>((resolve, reject) => {
          into.on('error', reject)
          into.on('finish', resolve)
          for (let n = 0; n < 1000; n += 1) into.write(`${n}\tname ${n}\n`)
          into.end()
        })
        assert.equal((await tx`select count(*)::int as n from copied`)[0]?.n, 1000)
        let text = ''
        for await (const chunk of await tx`copy (select * from copied order by n) to stdout`.readable()) {
          text += String(chunk)
        }
        assert.equal(text.split('\n').length, 1001)
      })
    }))

  test('the body of a Response keeps the connection until it ends', async () => {
    const events: NullpoolEvent[] = []
    const database = connect({ onEvent: (event) => void events.push(event) })
    const closed = (): number => events.filter(({ type }) => type === 'close').length
    const background: Promise<unknown>[] = []
    const waitUntil = (promise: Promise<unknown>) => void background.push(promise)
    const response = await database.run({ waitUntil }, async ({ sql }) => {
      let n = 0
      const body = new ReadableStream<Uint8Array>({
        async pull(controller) {
          n += 1
          if (n > 3) return controller.close()
          const [row] = await sql`select ${n}::int as n`
          controller.enqueue(new TextEncoder().encode(`${row?.n} `))
        },
      })
      return new Response(body)
    })
    assert.equal(closed(), 0)
    assert.equal(await response.text(), '1 2 3 ')
    while (background.length > 0) await Promise.all(background.splice(0))
    assert.equal(closed(), 1)
  })

  test('a body that is left takes its statement and its connection with it', async () => {
    const events: NullpoolEvent[] = []
    const database = connect({ onEvent: (event) => void events.push(event) })
    const background: Promise<unknown>[] = []
    const waitUntil = (promise: Promise<unknown>) => void background.push(promise)
    const response = await database.run({ waitUntil }, async ({ sql }) => {
      const rows = sql`select repeat('x', 1000) as x from generate_series(1, 100000)`.cursor(100)
      const batches = rows[Symbol.asyncIterator]()
      const body = new ReadableStream<Uint8Array>({
        async pull(controller) {
          const { value } = await batches.next()
          controller.enqueue(new TextEncoder().encode(JSON.stringify(value)))
        },
      })
      return new Response(body)
    })
    const reader = response.body?.getReader()
    assert.ok(((await reader?.read())?.value?.length ?? 0) > 0)
    await reader?.cancel()
    while (background.length > 0) await Promise.all(background.splice(0))
    assert.equal(events.filter(({ type }) => type === 'close').length, 1)
  })
}
