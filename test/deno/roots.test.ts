import assert from 'node:assert/strict'
import { createDatabase, type DatabaseOptions, type NullpoolError } from 'nullpool'

/** Run with DENO_CERT, by which the root of the tests is one of Deno's own. */
const url = Deno.env.get('DATABASE_URL') ?? ''
const impostorUrl = Deno.env.get('TEST_IMPOSTOR_URL') ?? ''
const serverName = Deno.env.get('TEST_SUPABASE_HOST') ?? ''

const attempt = (options: DatabaseOptions): Promise<unknown> =>
  createDatabase(options)
    .run({}, ({ sql }) => sql`select ssl from pg_stat_ssl where pid = pg_backend_pid()`)
    .then(([row]) => row?.ssl)

const refusal = (options: DatabaseOptions): Promise<NullpoolError> =>
  attempt(options).then(
    () => Promise.reject(new Error('It connected.')),
    (error: NullpoolError) => error,
  )

Deno.test('a host of Supabase is trusted by the roots of Deno, too', async () => {
  assert.equal(await attempt({ url, tls: 'verify' }), true)
  assert.equal(await attempt({ url, tls: { serverName } }), true)
})

Deno.test('who takes Supabase’s name is found out by Supabase’s root, which vouches for no other host', async () => {
  const asSupabase = await refusal({ url: impostorUrl, tls: { serverName } })
  assert.equal(asSupabase.code, 'ERR_TLS_UNTRUSTED')
  // Only who holds the real root can tell that the signature is not its own.
  assert.match(String(asSupabase.cause), /BadSignature/)
  const asAnother = await refusal({ url: impostorUrl, tls: 'verify' })
  assert.match(String(asAnother.cause), /UnknownIssuer/)
})
