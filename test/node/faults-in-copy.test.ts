import { once } from 'node:events'
import { beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { CLOSINGS, type How, impatient, useFaultBed, WAYS } from '../support/fault-bed.ts'

const { pgbouncer, postgres } = inject('servers')

const lost = (how: How) => (how === 'silence' ? 'ERR_QUERY_TIMEOUT' : 'ERR_CONNECTION_LOST')

describe.each([
  ['Postgres', postgres],
  ['PgBouncer', pgbouncer],
] as const)('%s goes away', (_name, target) => {
  describe.skipIf(!target)('in a COPY', () => {
    const bed = useFaultBed(() => target ?? postgres)
    beforeAll(() => bed.database.sql`create table written (n int)`)
    beforeEach(() => bed.database.sql`truncate written`)

    const committed = async (): Promise<number[]> =>
      (await bed.database.sql`select n from written order by n`).map(({ n }) => n)

    it.each(WAYS)('to the client, with %s', async (how) => {
      const scope = bed.scope(impatient(how, 'queryTimeoutMs'))
      const rows = await scope.sql`
          copy (select repeat('x', 1000) from generate_series(1, 20000)) to stdout`.readable()
      const reading = async (): Promise<void> => {
        for await (const _ of rows) {
          if (how === 'silence') bed.proxy.stall()
          else bed.proxy.cutAll(how)
        }
      }
      await bed.expectFailure(scope, reading(), { code: lost(how), retryable: false })
    })

    it.each(CLOSINGS)('from the client, with %s', async (how) => {
      const scope = bed.scope()
      const rows = await scope.sql`copy written from stdin`.writable()
      const failing = once(rows, 'finish')
      failing.catch(() => {})
      rows.write('1\n')
      await bed.proxy.until(({ turns }) => turns >= 5)
      await bed.cut(how)
      await bed.expectFailure(scope, failing, { code: 'ERR_CONNECTION_LOST', retryable: false })
      expect(await committed()).toEqual([])
    })

    it.each(WAYS)('from the client, at its end, with %s', async (how) => {
      const scope = bed.scope(impatient(how, 'queryTimeoutMs'))
      const rows = await scope.sql`copy written from stdin`.writable()
      bed.leaveAt(how, 'C')
      const failing = once(rows, 'finish')
      rows.end('1\n')
      await bed.expectFailure(scope, failing, { code: lost(how), retryable: false })
    })

    it('from the client, in a silence that takes no more rows', async () => {
      const scope = bed.scope(impatient('silence', 'queryTimeoutMs'))
      const rows = await scope.sql`copy written from stdin`.writable()
      bed.proxy.stall('up')
      const failing = once(rows, 'finish')
      const million = '1\n'.repeat(500_000)
      const write = (): void => {
        while (rows.write(million));
        rows.once('drain', write)
      }
      write()
      await expect(failing).rejects.toMatchObject({ code: 'ERR_QUERY_TIMEOUT', retryable: false })
      await scope.close()
      // Its end lies behind the rows that nobody has taken.
      bed.proxy.resume()
      await bed.proxy.until(({ connections: [first] }) => first?.closedBy !== undefined)
      expect(await committed()).toEqual([])
    })
  })
})
