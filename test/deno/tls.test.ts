import assert from 'node:assert/strict'
import { createDatabase, type DatabaseOptions, type NullpoolError } from 'nullpool'

const url = Deno.env.get('DATABASE_URL') ?? ''
const ca = Deno.env.get('TEST_CA') ?? ''
const otherCa = Deno.env.get('TEST_OTHER_CA') ?? ''

async function attempt(options: DatabaseOptions): Promise<unknown> {
  await using scope = createDatabase({ url, connectTimeoutMs: 5_000, ...options }).scope()
  return await scope.sql`select ssl from pg_stat_ssl where pid = pg_backend_pid()`.then(
    ([row]) => row?.ssl,
    (error: NullpoolError) => error,
  )
}

const refusal = async (options: DatabaseOptions): Promise<NullpoolError> =>
  (await attempt(options)) as NullpoolError

Deno.test('TLS is verified against the given root, in addition to those of Deno', async () => {
  assert.equal(await attempt({ tls: { ca } }), true)
  assert.equal(await attempt({}), false)
})

Deno.test('TLS without asking for it is agreed upon by its name', async () => {
  assert.equal(await attempt({ url: `${url}?sslnegotiation=direct`, tls: { ca } }), true)
})

Deno.test('TLS of a server that nobody vouches for is refused with the way out', async () => {
  for (const tls of ['verify', { ca: otherCa }] as const) {
    const error = await refusal({ tls })
    assert.equal(error.code, 'ERR_TLS_UNTRUSTED')
    assert.match(error.message, /tls: \{ ca \}/)
  }
  const named = await refusal({ tls: { ca, serverName: 'database.example' } })
  assert.equal(named.code, 'ERR_TLS_UNTRUSTED')
  assert.match(named.message, /serverName/)
})

Deno.test('TLS of a server whose certificate is not valid yet is refused with the reason', async () => {
  const early = { url: Deno.env.get('TEST_EARLY_URL') ?? '' }
  const error = await refusal({ ...early, tls: { ca: Deno.env.get('TEST_EARLY_CA') ?? '' } })
  assert.equal(error.code, 'ERR_TLS_UNTRUSTED')
  assert.match(error.message, /It is not valid yet/)
  assert.doesNotMatch(error.message, /root certificate/)
})

Deno.test('TLS of a host of Supabase is trusted by Supabase’s root, and by no other that is private', async () => {
  const error = await refusal({ tls: { serverName: 'db.abcdefghijklmnopqrst.supabase.co' } })
  assert.equal(error.code, 'ERR_TLS_UNTRUSTED')
})
