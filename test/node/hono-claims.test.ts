import { Hono } from 'hono'
import { jwt, sign } from 'hono/jwt'
import { type Claims, NullpoolError } from 'nullpool'
import { type NullpoolVariables, nullpool } from 'nullpool/hono'
import { beforeAll, describe, expect, inject, it } from 'vitest'
import { honoBed } from '../support/hono-bed.ts'
import { claimsOf, makeSupabaseSchema, userId } from '../support/supabase-schema.ts'

const { pgbouncer } = inject('servers')

type Variables = NullpoolVariables & { jwtPayload: Claims }
type Answer = (c: { var: Variables }) => Promise<object>

describe.skipIf(!pgbouncer)('nullpool({ claims })', () => {
  const bed = honoBed()
  const secret = 'a secret of at least thirty-two characters'
  beforeAll(async () => {
    await makeSupabaseSchema(bed.database.sql)
    await bed.database.sql`
      insert into notes (owner, body, secret) values (${userId(1)}, 'one', true),
        (${userId(2)}, 'two', true), (${userId(3)}, 'public', false)`
  })

  const ask = async (
    answer: Answer,
    user?: Record<string, unknown>,
    transaction = false,
  ): Promise<unknown> => {
    const app = new Hono<{ Variables: Variables }>()
    app.onError((error, c) => c.json(NullpoolError.is(error) ? error.code : error.message, 500))
    if (user) app.use(jwt({ secret, alg: 'HS256' }))
    app.use(nullpool({ url: bed.url(), transaction, claims: (c) => c.get('jwtPayload') }))
    app.get('/', async (c) => c.json(await answer(c)))
    const headers = user
      ? { authorization: `Bearer ${await sign(user, secret, 'HS256')}` }
      : undefined
    return (await bed.get(app as never, '/', headers ? { headers } : {})).json()
  }
  const notes: Answer = ({ var: { sql } }) =>
    sql`select body, current_user as role from notes order by id`

  it.each([false, true])('reads the payload of hono/jwt, in a transaction: %s', async (whole) => {
    expect(await ask(notes, claimsOf(1), whole)).toEqual([
      { body: 'one', role: 'authenticated' },
      { body: 'public', role: 'authenticated' },
    ])
    await bed.expectClosed(1)
  })

  it.each([false, true])('is anon without one, in a transaction: %s', async (whole) => {
    expect(await ask(notes, undefined, whole)).toEqual([{ body: 'public', role: 'anon' }])
    await bed.expectClosed(1)
  })

  it('refuses a role that is not in the list, before anything is opened', async () => {
    expect(await ask(notes, { ...claimsOf(1), role: 'service_role' })).toBe('ERR_CLAIMS')
    await bed.expectClosed(0)
  })

  it.each([
    { role: 'none' },
    { role: 'service_role' },
    { session_authorization: 'postgres' },
    { 'request.jwt.claims': '{"role":"service_role"}' },
  ])('refuses settings of the transaction that belong to them: %j', async (settings) => {
    const transaction = { settings: settings as unknown as Record<string, string> }
    const refusal = expect.objectContaining({ code: 'ERR_OPTIONS' })
    expect(() => bed.app({ claims: () => claimsOf(1), transaction })).toThrow(refusal)
    expect(() => bed.app({ transaction })).not.toThrow()
    await bed.expectClosed(0)
  })

  it('holds for db.transaction() and db.as() too', async () => {
    const answer: Answer = async ({ var: { db } }) => ({
      transaction: await db.transaction((sql) => sql`select auth.uid() as uid`),
      as: await db.as(claimsOf(2)).sql`select auth.uid() as uid`,
    })
    expect(await ask(answer, claimsOf(1))).toEqual({
      transaction: [{ uid: userId(1) }],
      as: [{ uid: userId(2) }],
    })
    await bed.expectClosed(1)
  })

  it('closes what was opened early where the claims fail', async () => {
    const opened = Promise.withResolvers<void>()
    const app = bed.app({
      connect: 'eager',
      onEvent: ({ type }) => type === 'connect' && opened.resolve(),
      claims: async () => {
        await opened.promise
        throw new RangeError('no claims today')
      },
    })
    app.get('/', async (c) => c.json(await c.var.sql`select 1`))
    expect(await (await bed.get(app)).text()).toBe('no claims today')
    await bed.expectClosed(1)
  })

  it('refuses what is no function', () => {
    expect(() => nullpool({ claims: {} as never })).toThrow(/The option claims takes a function/)
  })
})
