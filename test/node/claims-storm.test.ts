import { createDatabase, NullpoolError, type Scope } from 'nullpool'
import postgresjs from 'postgres'
import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { startPgBouncer } from '../../src/cli/pgbouncer-server.ts'
import { claimsOf, makeSupabaseSchema, userId } from '../support/supabase-schema.ts'
import { createTestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres } = inject('servers')

const REQUESTS = 200
const USERS = 20
const AT_ONCE = 12

function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** Where statements are told for whom they run, beside the role. */
const CLAIMS =
  '{request.jwt.claims,request.jwt.claim,request.jwt.claim.sub,request.jwt.claim.role,request.jwt.claim.email}'

/** What somebody may see: what is public, and what is theirs. */
function expectOwn(rows: Iterable<object>, user: number): void {
  for (const row of rows) {
    const { owner, secret, uid, role } = row as Record<string, unknown>
    expect(uid).toBe(userId(user))
    expect(role).toBe('authenticated')
    if (secret) expect(owner).toBe(userId(user))
  }
}

const select = 'select owner, secret, auth.uid() as uid, current_user as role from notes'

/** One request, of which anything may go wrong; whatever it sees must be its user's. */
async function request(scope: Scope, user: number, kind: number): Promise<void> {
  const someone = scope.as(claimsOf(user))
  const { sql } = someone
  const read = async (): Promise<void> => expectOwn(await sql.unsafe(select), user)
  if (kind === 0) return read()
  if (kind === 1) {
    return someone.transaction(async (tx) => {
      await tx`insert into notes (body) values (${`of ${user}`})`
      expectOwn(await tx.unsafe(select), user)
    })
  }
  if (kind === 2) {
    return someone.transaction(async (tx) => {
      await tx`insert into notes (body) values ('never')`
      throw new RangeError('the handler fails')
    })
  }
  if (kind === 3) return void (await Promise.all([read(), sql`select 1 / 0`, read()]))
  if (kind === 4) return void (await sql`select pg_sleep(5)`)
  if (kind === 5) {
    const all = scope.sql`select count(*)::int as n, current_user as role from notes`
    const [[row]] = await Promise.all([all, read()])
    expect(row?.role).toBe(postgres.user)
    return
  }
  if (kind === 6) {
    const [, mine, all] = await someone.batch((make) => [
      make`insert into notes (body) values (${`batch of ${user}`})`,
      make.unsafe(select),
      make.unsafe(`${select} where id > $1`, [0]),
    ])
    expectOwn([...mine, ...all], user)
    return
  }
  if (kind === 7) {
    const refused = someone.batch((make) => [
      make`insert into notes (body) values ('never')`,
      make.unsafe(select),
      make`select 1 / ${0}::int`,
    ])
    return void (await refused)
  }
  for await (const rows of sql.unsafe(`${select} order by id`).cursor(3)) expectOwn(rows, user)
}

describe.skipIf(!pgbouncer)('200 requests of 20 users on one pool', { timeout: 60_000 }, () => {
  it.each([1, 2])('see nothing of one another, with pool size %i', async (poolSize) => {
    await using bed = await createTestDatabase()
    await makeSupabaseSchema(bed.sql)
    for (let user = 0; user < USERS; user += 1) {
      await bed.sql`
        insert into notes (owner, body, secret) values
          (${userId(user)}, 'mine', true), (${userId(user)}, 'everybody', false)`
    }
    const pool = await startPgBouncer({
      upstream: postgres,
      users: { [postgres.user]: postgres.password },
      poolSize,
    })
    onTestFinished(() => pool.stop())
    const random = randomOf(20 + poolSize)
    const outcomes: Record<string, number> = {}
    const one = async (n: number): Promise<void> => {
      const controller = new AbortController()
      const kind = Math.floor(random() * 9)
      const database = createDatabase({
        url: bed.url(pool),
        queryTimeoutMs: kind === 4 ? 300 : 20_000,
        connectTimeoutMs: 20_000,
      })
      const scope = database.scope({ signal: controller.signal })
      if (random() < 0.2) setTimeout(() => controller.abort(), random() * 40)
      const outcome = await request(scope, n % USERS, kind).then(
        () => 'fulfilled',
        (error: unknown) => {
          if (NullpoolError.is(error)) return error.code
          const known =
            error instanceof RangeError || Reflect.get(error as object, 'code') === '22012'
          if (!known) throw error
          return 'its own error'
        },
      )
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
      await scope.close()
    }
    const numbers = Array.from({ length: REQUESTS }, (_, n) => n)
    const worker = async (): Promise<void> => {
      for (let n = numbers.shift(); n !== undefined; n = numbers.shift()) await one(n)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    expect(Object.keys(outcomes).sort()).toEqual(
      ['ERR_ABORTED', 'ERR_QUERY_TIMEOUT', 'fulfilled', 'its own error'].sort(),
    )
    // Every backend, as somebody without claims and without nullpool's settings finds it.
    const bare = createDatabase({ url: bed.url(pool), connectTimeoutMs: 20_000 })
    const everybodyIsIn = Promise.withResolvers<void>()
    let inside = 0
    const looks = Array.from({ length: poolSize }, async () => {
      await using scope = bare.scope()
      return await scope.transaction(async (sql) => {
        const [left] = await sql`
          select pg_backend_pid() as pid, current_user as role, session_user as login,
            (select nullif(string_agg(current_setting(name, true), ''), '')
              from unnest(${CLAIMS}::text[]) as name) as claims`
        inside += 1
        if (inside === poolSize) everybodyIsIn.resolve()
        await everybodyIsIn.promise
        return left
      })
    })
    const left = await Promise.all(looks)
    const console = postgresjs(pool.adminUrl, { max: 1, prepare: false, fetch_types: false })
    const servers = await console.unsafe('show servers')
    await console.end()
    const pids = left.map((row) => row?.pid)
    expect(new Set(pids).size).toBe(poolSize)
    expect(pids.sort()).toEqual(
      servers
        .filter(({ database }) => database === bed.name)
        .map((row) => row.remote_pid)
        .sort(),
    )
    for (const row of left) {
      expect(row).toMatchObject({ role: postgres.user, login: postgres.user, claims: null })
    }
    expect((await bed.sql`select from notes where body = 'never'`).length).toBe(0)
  })
})
