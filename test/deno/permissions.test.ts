import assert from 'node:assert/strict'
import { createDatabase, type NullpoolError } from 'nullpool'

const url = Deno.env.get('DATABASE_URL') ?? ''

const ask = (given: { url?: string }): Promise<unknown> =>
  createDatabase(given)
    .run({}, ({ sql }) => sql`select 1 as n`)
    .then(([row]) => row?.n)

const refusal = (given: { url?: string }): Promise<NullpoolError> =>
  ask(given).then(
    () => Promise.reject(new Error('It connected.')),
    (error: NullpoolError) => error,
  )

const least = { net: 'inherit', env: ['PGAPPNAME'] } as const
Deno.test(
  { name: 'the network and one variable is all that is needed', permissions: least },
  async () => {
    assert.equal(await ask({ url }), 1)
  },
)

const blind = { net: 'inherit', env: false } as const
Deno.test(
  { name: 'no access to the environment says what to allow', permissions: blind },
  async () => {
    const unread = await refusal({ url })
    assert.equal(unread.code, 'ERR_RUNTIME_UNSUPPORTED')
    assert.match(unread.message, /--allow-env=PGAPPNAME/)
    assert.equal((await refusal({})).code, 'ERR_URL_MISSING')
  },
)

const alone = { net: false, env: 'inherit' } as const
Deno.test({ name: 'no access to the network says what to allow', permissions: alone }, async () => {
  assert.match((await refusal({ url })).message, /--allow-net/)
})
