import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { postgresDriver } from '../../src/drivers/postgres.ts'
import { NullpoolError } from '../../src/errors.ts'
import { transport } from '../../src/transports/node.ts'
import { Front } from '../../src/wire/front.ts'
import { Meter } from '../../src/wire/meter.ts'
import { pipelined } from '../../src/wire/profile.ts'
import { Upstream } from '../../src/wire/upstream.ts'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

/** What postgres.js knows and its types do not. */
const SIMPLE = { prepare: false, simple: true }

const QUIET = {
  opening: () => undefined,
  opened: () => undefined,
  closed: () => undefined,
  background: () => undefined,
  idle: () => undefined,
  answered: () => undefined,
}

describe.each([
  ['PgBouncer', pgbouncer],
  ['Postgres', postgres],
] as const)('settings of each transaction, on %s', (_name, target) => {
  describe.skipIf(!target)('in one trip', () => {
    let bed: TestDatabase
    let proxy: CountingProxy
    beforeAll(async () => {
      bed = await createTestDatabase()
      await bed.sql`create table seen (claim text, at int)`
      proxy = await startCountingProxy({ target: target ?? postgres })
    })
    afterEach(async () => {
      await proxy.until(({ connections }) => connections.every(({ open }) => !open))
      proxy.reset()
    })
    afterAll(async () => {
      await proxy.stop()
      await bed[Symbol.asyncDispose]()
    })

    function connect(claim: string) {
      const upstream = new Upstream(
        {
          route: { transport, address: proxy, tls: undefined, profile: pipelined },
          credentials: {
            user: postgres.user,
            database: bed.name,
            password: () => postgres.password,
            applicationName: 'nullpool',
          },
          connectTimeoutMs: 5_000,
          connectRetries: 0,
          queryTimeoutMs: 5_000,
          closeTimeoutMs: 5_000,
          meter: new Meter(),
        },
        QUIET,
      )
      const sql = postgresDriver().createClient({
        ...{ host: 'x', port: 1, user: 'x', database: bed.name },
        connect: (listener) =>
          new Front(upstream, listener, { settings: [['request.claim', claim]] }),
        notice: () => undefined,
        unsupported: (feature) => new NullpoolError('ERR_SESSION_STATE', feature),
      })
      const close = () =>
        upstream.close(() => new NullpoolError('ERR_SCOPE_CLOSED', 'The test is over.'))
      return { sql, [Symbol.asyncDispose]: close }
    }

    const CLAIM = "current_setting('request.claim', true)"

    it('are there in every shape of a statement, and gone behind it', async () => {
      const nasty = `{"name":"O'Brien $1 \\\\ "}`
      await using scope = connect(nasty)
      const { sql } = scope
      const warm = async (work: () => Promise<unknown>): Promise<number> => {
        const { turns } = proxy
        expect(await work()).toMatchObject([{ claim: nasty }])
        return proxy.turns - turns
      }
      await warm(() => sql`select ${sql.unsafe(CLAIM)} as claim`)
      await warm(() => sql`select ${sql.unsafe(CLAIM)} as claim, ${1}::int as at`)
      expect(await warm(() => sql`select ${sql.unsafe(CLAIM)} as claim`)).toBe(1)
      expect(await warm(() => sql`select ${sql.unsafe(CLAIM)} as claim, ${2}::int as at`)).toBe(1)
      expect(await warm(() => sql.unsafe(`select ${CLAIM} as claim`))).toBe(1)
      expect(await warm(() => sql.begin((tx) => tx.unsafe(`select ${CLAIM} as claim`)))).toBe(2)
      expect(
        await warm(async () => {
          const [first] = await sql.unsafe(`select ${CLAIM} as claim; select 2 as claim`)
          return first
        }),
      ).toBe(3)
      expect(
        await warm(async () => {
          for await (const rows of sql`select ${sql.unsafe(CLAIM)} as claim`.cursor(9)) return rows
          return undefined
        }),
      ).toBe(1)
      await using other = connect('other')
      expect(await other.sql.unsafe(`select ${CLAIM} as claim`)).toEqual([{ claim: 'other' }])
      // On the backend itself nothing is left.
      const [left] = await bed.sql.unsafe(`select ${CLAIM} as claim`)
      expect(left?.claim ?? '').toBe('')
    })

    it('are there in both directions of COPY, and a failed COPY leaves nothing', async () => {
      await using scope = connect('copy')
      const { sql } = scope
      const lines: string[] = []
      const rows = await sql`copy (select ${sql.unsafe(CLAIM)}) to stdout`.readable()
      for await (const chunk of rows) lines.push(String(chunk))
      expect(lines.join('')).toBe('copy\n')
      const stream = await sql`copy seen (at) from stdin`.writable()
      const failed = new Promise((resolve) => stream.on('error', resolve))
      stream.end('no number\n')
      expect(await failed).toMatchObject({ code: '22P02' })
      expect(await sql`select * from seen`).toEqual([])
    })

    it('leave a simple query that names values as it is: the server says what is missing', async () => {
      await using scope = connect('simple')
      const { sql } = scope
      const simple = (text: string) => sql.unsafe(text, [1], SIMPLE)
      const missing = { code: '42P02', position: '8' }
      await expect(simple('select $1::int')).rejects.toMatchObject(missing)
      await expect(
        sql.begin((tx) => tx.unsafe('select $1::int', [1], SIMPLE)),
      ).rejects.toMatchObject(missing)
      expect(await sql.unsafe(`select ${CLAIM} as claim`)).toEqual([{ claim: 'simple' }])
      const { turns } = proxy
      const lookAlikes = `select ${CLAIM} as claim, '$1' as "$2", $$ $3 $$ as a$4 -- $5`
      expect(await simple(lookAlikes)).toMatchObject([{ claim: 'simple', $2: '$1', a$4: ' $3 ' }])
      expect(proxy.turns - turns).toBe(1)
    })

    it('roll back what fails, whole', async () => {
      await using scope = connect('fails')
      const { sql } = scope
      await expect(
        sql.unsafe(`insert into seen values (${CLAIM}, 1); select 1 / 0`),
      ).rejects.toMatchObject({ code: '22012' })
      await expect(
        sql.unsafe(`insert into seen values ('x', 1); commit; select 1`),
      ).rejects.toMatchObject({ code: '0A000' })
      expect(await sql`select * from seen`).toEqual([])
      await sql`insert into seen values (${sql.unsafe(CLAIM)}, ${7})`
      expect(await bed.sql`select * from seen`).toEqual([{ claim: 'fails', at: 7 }])
      await bed.sql`truncate seen`
    })
  })
})
