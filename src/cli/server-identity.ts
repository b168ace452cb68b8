import { readFile } from 'node:fs/promises'

/** The user a server runs as. */
export interface ServerIdentity {
  name: string
  uid: number
  gid: number
}

/** In this order. One of the two is on every Unix: `initdb` wants a user that has a name. */
const UNPRIVILEGED_USERS = ['postgres', 'nobody']

/**
 * Whom Postgres and PgBouncer have to run as, because both refuse to run as root.
 *
 * `undefined` where this process is not root: they then run as its own user. No user is ever
 * created, so that nothing stays behind on the machine.
 */
export async function serverIdentity(): Promise<ServerIdentity | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const users = await readFile('/etc/passwd', 'utf8')
  for (const wanted of UNPRIVILEGED_USERS) {
    const line = users.split('\n').find((user) => user.startsWith(`${wanted}:`))
    const [name, , uid, gid] = line?.split(':') ?? []
    if (name !== undefined) return { name, uid: Number(uid), gid: Number(gid) }
  }
  throw new Error(
    'Postgres does not run as root, and this machine has neither a user "postgres" nor "nobody" to run it as. Run this as an ordinary user.',
  )
}
