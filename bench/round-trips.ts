/** `npm run bench:trips`: counts the round trips of docs/round-trips.md and writes them there. */
import { readFile, writeFile } from 'node:fs/promises'
import { findPgBouncer, startPgBouncer } from '../src/cli/pgbouncer-server.ts'
import { startPostgres } from '../src/cli/postgres-server.ts'
import { makeCertificates } from '../test/support/certificates.ts'
import { roundTripTables } from '../test/support/round-trip-table.ts'
import { startStrictPooler } from '../test/support/strict-pooler.ts'

const DOCUMENT = new URL('../docs/round-trips.md', import.meta.url)

if (!(await findPgBouncer())) throw new Error('PgBouncer is needed: apt-get install pgbouncer.')
const certificates = await makeCertificates()
const { certFile, keyFile } = certificates.server
const server = await startPostgres({ tls: { certFile, keyFile } })
const { user, password } = server
const database = 'postgres'
const pgbouncer = await startPgBouncer({
  upstream: server,
  users: { [user]: password },
  tls: { certFile, keyFile, mode: 'allow' },
})
const strict = await startStrictPooler({
  backend: { host: server.host, port: server.port, user, password, database },
  tls: { cert: await readFile(certFile, 'utf8'), key: await readFile(keyFile, 'utf8') },
})
const trusting = await startPostgres({ authMethod: 'trust' })
try {
  const login = { user, password, database }
  const tables = await roundTripTables({
    postgres: { ...login, host: server.host, port: server.port },
    pgbouncer: { ...login, host: pgbouncer.host, port: pgbouncer.port },
    strict: { ...login, host: strict.host, port: strict.port, user: `${user}.${strict.tenant}` },
    trusting: { ...login, host: trusting.host, port: trusting.port },
    ca: certificates.ca.pem,
  })
  const text = await readFile(DOCUMENT, 'utf8')
  await writeFile(DOCUMENT, text.slice(0, text.indexOf('## In clear')) + tables)
  process.stdout.write(tables)
} finally {
  await strict.stop()
  await pgbouncer.stop()
  await server.stop()
  await trusting.stop()
  await certificates.remove()
}
