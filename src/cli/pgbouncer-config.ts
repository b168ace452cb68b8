import { readFile } from 'node:fs/promises'
import { LOOPBACK } from './free-port.ts'
import type { PgBouncerOptions } from './pgbouncer-options.ts'
import type { ServerFolder } from './server-folder.ts'

/** Who may use the admin console. */
export interface Administrator {
  user: string
  password: string
}

/** Writes everything that PgBouncer reads and returns the path of its configuration. */
export async function writeConfig(
  folder: ServerFolder,
  port: number,
  options: PgBouncerOptions,
  administrator: Administrator,
): Promise<string> {
  const users = { ...options.users, [administrator.user]: administrator.password }
  const settings = {
    listen_addr: LOOPBACK,
    listen_port: port,
    unix_socket_dir: '',
    // Plain passwords: from anything else PgBouncer 1.18 can't do SCRAM towards both sides.
    auth_file: await folder.write('userlist.txt', userList(users)),
    auth_type: options.authType ?? 'scram-sha-256',
    admin_users: administrator.user,
    stats_users: administrator.user,
    pool_mode: options.poolMode ?? 'transaction',
    default_pool_size: options.poolSize ?? 20,
    max_client_conn: options.maxClientConnections ?? 500,
    server_tls_sslmode: 'disable',
    ignore_startup_parameters: 'extra_float_digits',
    ...(await tlsSettings(folder, options.tls)),
    ...options.settings,
  }
  const lines = [
    '[databases]',
    ...databaseLines(options),
    '[pgbouncer]',
    ...Object.entries(settings).map(([name, value]) => `${name} = ${value}`),
  ]
  return await folder.write('pgbouncer.ini', `${lines.join('\n')}\n`)
}

function databaseLines({ databases = { '*': {} }, upstream }: PgBouncerOptions): string[] {
  return Object.entries(databases).map(([name, parameters]) => {
    // PgBouncer 1.18 reads no quoted names, whatever its manual says. `dbname` takes any.
    if (!/^([\w.-]+|\*)$/.test(name)) {
      throw new Error(`PgBouncer can't have a database "${name}": letters, digits, ".", "_", "-".`)
    }
    const pairs = Object.entries({ host: upstream.host, port: upstream.port, ...parameters })
    const text = pairs.map(([key, value]) => `${key}='${String(value).replaceAll("'", "''")}'`)
    return `${name} = ${text.join(' ')}`
  })
}

function userList(users: Readonly<Record<string, string>>): string {
  return Object.entries(users)
    .map(([user, password]) => `${quote(user)} ${quote(password)}\n`)
    .join('')
}

function quote(text: string): string {
  return `"${text.replaceAll('"', '""')}"`
}

async function tlsSettings(
  folder: ServerFolder,
  tls: PgBouncerOptions['tls'],
): Promise<Record<string, string>> {
  if (tls === undefined) return {}
  return {
    client_tls_sslmode: tls.mode ?? 'allow',
    client_tls_cert_file: await folder.write('client.crt', await readFile(tls.certFile)),
    client_tls_key_file: await folder.write('client.key', await readFile(tls.keyFile)),
  }
}
