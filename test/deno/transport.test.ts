import assert from 'node:assert/strict'
import { createDatabase, type NullpoolError } from 'nullpool'

const failure = (url: string, options: object = {}): Promise<NullpoolError> =>
  createDatabase({ url, connectTimeoutMs: 1_000, ...options })
    .run({}, ({ sql }) => sql`select 1`)
    .then(
      () => Promise.reject(new Error('It connected.')),
      (error: NullpoolError) => error,
    )

Deno.test('a port where nobody listens is told apart from a name that does not resolve', async () => {
  const refused = await failure('postgres://a:b@127.0.0.1:1/c')
  assert.equal(refused.code, 'ERR_CONNECT_REFUSED')
  // Deno's own sockets, not Node's as Deno imitates them.
  assert.match(String(((refused.cause as Error).cause as Error).name), /ConnectionRefused/)
  const unknown = await failure('postgres://a:b@no-such-host.invalid:5432/c')
  assert.equal(unknown.code, 'ERR_CONNECT_NAME')
})

Deno.test('a server that stays silent is given up in time, also in the middle of TLS', async () => {
  const listener = Deno.listen({ hostname: '127.0.0.1', port: 0 })
  const accepted: { close(): void }[] = []
  const serving = (async () => {
    for await (const connection of listener) {
      accepted.push(connection)
      if (accepted.length === 2) await connection.write(new TextEncoder().encode('S'))
    }
  })()
  const url = `postgres://a:b@127.0.0.1:${listener.addr.port}/c`
  assert.equal((await failure(url, { connectTimeoutMs: 200 })).code, 'ERR_CONNECT_TIMEOUT')
  const secured = await failure(url, { connectTimeoutMs: 200, tls: 'verify' })
  assert.equal(secured.code, 'ERR_CONNECT_TIMEOUT')
  listener.close()
  await serving.catch(() => undefined)
  for (const connection of accepted) connection.close()
})

Deno.test('a connection that is cut says so, and leaves nothing open', async () => {
  const url = Deno.env.get('DATABASE_URL') ?? ''
  const error = await createDatabase({ url })
    .run({}, ({ sql }) => sql`select pg_terminate_backend(pg_backend_pid())`)
    .catch((error: NullpoolError) => error)
  assert.equal((error as NullpoolError).retryable, false)
  assert.match((error as NullpoolError).code, /^ERR_(SERVER_UNAVAILABLE|CONNECTION_LOST)$/)
})

Deno.test('megabytes pass both ways', async () => {
  const database = createDatabase({ url: Deno.env.get('DATABASE_URL') ?? '' })
  const large = 'ü'.repeat(4_000_000)
  const [row] = await database.run({}, ({ sql }) => sql`select ${large}::text as text`)
  assert.equal(row?.text === large, true)
})
