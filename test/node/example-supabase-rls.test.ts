import { readFile } from 'node:fs/promises'
import { sign } from 'hono/jwt'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type RunningWorker, runWorker } from '../support/run-worker.ts'
import { claimsOf, userId } from '../support/supabase-schema.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer } = inject('servers')

const SECRET = 'a secret of at least thirty-two characters'

interface Note {
  id: string
  owner: string
  body: string
  shared: boolean
}

describe.skipIf(!pgbouncer)('the example for row-level security', () => {
  let bed: TestDatabase
  let worker: RunningWorker

  beforeAll(async () => {
    if (!pgbouncer) return
    bed = await createTestDatabase()
    for (const file of ['local-auth.sql', 'schema.sql']) {
      await bed.sql.unsafe(await readFile(`examples/supabase-rls/${file}`, 'utf8'))
    }
    worker = await runWorker('examples/supabase-rls/src/index.ts', {
      DATABASE_URL: bed.url(pgbouncer),
      JWT_SECRET: SECRET,
    })
  })
  afterAll(async () => {
    await worker?.[Symbol.asyncDispose]()
    await bed?.[Symbol.asyncDispose]()
  })

  const as = async (
    claims: Record<string, unknown> | undefined,
    path: string,
    {
      method = 'GET',
      body,
      secret = SECRET,
    }: { method?: string; body?: object; secret?: string } = {},
  ): Promise<Response> => {
    const token = claims && (await sign(claims, secret, 'HS256'))
    return fetch(worker.at(path), {
      method,
      headers: {
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(body ? { 'content-type': 'application/json' } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
  }
  const add = (user: number, body: object): Promise<Response> =>
    as(claimsOf(user), '/notes', { method: 'POST', body })
  const bodies = async (response: Response): Promise<string[]> =>
    ((await response.json()) as Note[]).map(({ body }) => body)

  it('shows two users what is theirs, and what is shared', async () => {
    const added = await add(1, { body: "it's mine" })
    expect(added.status).toBe(201)
    expect(await added.json()).toMatchObject({ owner: userId(1), shared: false })
    expect((await add(2, { body: 'of two' })).status).toBe(201)
    expect((await add(2, { body: 'for all', shared: true })).status).toBe(201)
    expect(await bodies(await as(claimsOf(1), '/notes'))).toEqual(["it's mine", 'for all'])
    expect(await bodies(await as(claimsOf(2), '/notes'))).toEqual(['of two', 'for all'])
    expect(await bodies(await as(undefined, '/notes'))).toEqual(['for all'])
  })

  it('answers 403 where a policy refuses a row', async () => {
    expect((await add(1, { body: 'forged', owner: userId(2) })).status).toBe(403)
    const nobody = await as(undefined, '/notes', { method: 'POST', body: { body: 'anonymous' } })
    expect(nobody.status).toBe(403)
    expect(await bed.sql`select from notes where body in ('forged', 'anonymous')`).toHaveLength(0)
  })

  it('lets nobody delete what is somebody else’s', async () => {
    const { id } = (await (await add(1, { body: 'to be deleted' })).json()) as Note
    expect((await as(claimsOf(2), `/notes/${id}`, { method: 'DELETE' })).status).toBe(404)
    expect((await as(claimsOf(1), `/notes/${id}`, { method: 'DELETE' })).status).toBe(204)
  })

  it('runs several statements of a user in one trip', async () => {
    await (await as(claimsOf(2), '/summary')).text()
    const summary = (await (await as(claimsOf(2), '/summary')).json()) as Record<string, unknown>
    expect(summary).toMatchObject({ notes: 2, latest: [{ body: 'for all' }, { body: 'of two' }] })
  })

  it('refuses tokens that nobody has signed, and roles that requests may not have', async () => {
    const forged = await as(claimsOf(1), '/notes', {
      secret: 'another secret of thirty-two characters',
    })
    expect(forged.status).toBe(401)
    expect((await as({ ...claimsOf(1), exp: 1 }, '/notes')).status).toBe(401)
    expect((await as({ ...claimsOf(1), role: 'service_role' }, '/notes')).status).toBe(403)
    expect((await as({ ...claimsOf(1), role: 'postgres' }, '/notes')).status).toBe(403)
  })

  it('refuses notes that are none', async () => {
    for (const body of [{}, { body: ' ' }, { body: '\0' }, { body: 'x', owner: 'me' }]) {
      expect((await add(1, body)).status).toBe(400)
    }
  })
})
