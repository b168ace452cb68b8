import postgresjs from 'postgres'
import type { TestProject } from 'vitest/node'
import { findPgBouncer, startPgBouncer } from '../../src/cli/pgbouncer-server.ts'
import { startPostgres } from '../../src/cli/postgres-server.ts'
import { makeCertificates } from './certificates.ts'
import type { TestServers } from './servers.ts'

/** The servers that every test file shares; each file makes a database of its own in them. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const certificates = await makeCertificates()
  const { certFile, keyFile } = certificates.server
  const tls = { certFile, keyFile }
  const postgres = await startPostgres({ tls, settings: { max_connections: '300' } })
  const { user, password } = postgres
  const pgbouncer = (await findPgBouncer())
    ? await startPgBouncer({
        upstream: postgres,
        users: { [user]: password },
        poolSize: 10,
        maxClientConnections: 1000,
        tls: { ...tls, mode: 'allow' },
      })
    : undefined
  const [workerdDatabase, hyperdriveDatabase] = ['nullpool_workerd', 'nullpool_hyperdrive']
  const sql = postgresjs(postgres.url(), { max: 1 })
  await sql`create database ${sql(workerdDatabase)}`
  await sql`create database ${sql(hyperdriveDatabase)}`
  await sql.end()
  const servers: TestServers = {
    workerdDatabase,
    hyperdriveDatabase,
    postgres: { host: postgres.host, port: postgres.port, user, password },
    certificateFiles: tls,
    ca: certificates.ca.pem,
    caFile: certificates.ca.file,
    otherCa: certificates.otherCa.pem,
    ...(pgbouncer
      ? {
          pgbouncer: { host: pgbouncer.host, port: pgbouncer.port, adminUrl: pgbouncer.adminUrl },
        }
      : {}),
  }
  provide('servers', servers)
  return async () => {
    await pgbouncer?.stop()
    await postgres.stop()
    await certificates.remove()
  }
}
