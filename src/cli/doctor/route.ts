import { transport } from '../../transports/node.ts'
import type { Route } from '../../wire/dial.ts'
import type { Credentials } from '../../wire/handshake.ts'
import { universal } from '../../wire/profile.ts'
import { type Examination, found } from './examination.ts'

/** One name for all clients: PgBouncer sends a SET of its own whenever it changes. */
const APPLICATION_NAME = 'nullpool'

/** The way that has been looked at, address and all; begun in the way that suits every pooler. */
export function routeOf({ address, target, tls }: Examination): Route {
  const { port, sslNegotiation } = found(target)
  return {
    transport,
    address: { host: found(address).address, port },
    tls,
    profile: { ...universal, directTls: sslNegotiation === 'direct' },
  }
}

/** Whom the connection string names. */
export function credentialsOf({ target }: Examination): Credentials {
  const { user, database, applicationName, revealPassword } = found(target)
  return {
    user,
    database,
    password: () => revealPassword.call(target),
    applicationName: applicationName ?? APPLICATION_NAME,
  }
}
