import { Dial, dialWithin } from '../../wire/dial.ts'
import { MessageReader } from '../../wire/message-reader.ts'
import {
  Backend,
  HANDSHAKE_MESSAGE_LIMIT,
  readErrorFields,
  startupMessage,
} from '../../wire/messages.ts'
import { Meter } from '../../wire/meter.ts'
import { type Examination, found, type PoolerName } from './examination.ts'
import type { NamedStatements } from './prepared-statements.ts'
import { routeOf } from './route.ts'

/** What the session has told already. */
interface Traces {
  applicationName: string | null
  statements: NamedStatements
}

/**
 * The name of the pooler: by the host where that tells, by Supavisor's own application name, and else by
 * how a parameter that nobody knows is refused.
 *
 * That last question opens a connection, and ends it before anybody is asked for a password: it is no
 * attempt to log in. PgBouncer refuses the parameter in its own words; Postgres would look at it behind
 * the login, and others leave it out.
 *
 * @see https://www.pgbouncer.org/config.html#ignore_startup_parameters
 */
export async function nameOfPooler(examination: Examination, traces: Traces): Promise<PoolerName> {
  const { provider } = found(examination.target)
  if (provider === 'supabase-shared' || traces.applicationName === 'Supavisor') return 'supavisor'
  if (provider === 'supabase-dedicated' || provider === 'neon-pooler') return 'pgbouncer'
  if (provider === 'hyperdrive') return 'hyperdrive'
  return (await refusesUnknownParameter(examination)) ? 'pgbouncer' : 'unknown'
}

async function refusesUnknownParameter(examination: Examination): Promise<boolean> {
  const { timeoutMs } = examination.options
  const { user, database } = found(examination.target)
  const route = routeOf(examination)
  const dial = new Dial()
  const work = async (): Promise<boolean> => {
    const connection = await dial.open(route, new Meter())
    await connection.write(startupMessage({ user, database, nullpool_doctor: '1' }))
    const reader = new MessageReader(HANDSHAKE_MESSAGE_LIMIT)
    for (;;) {
      const message = reader.next()
      if (message) return isPgBouncers(message)
      const chunk = await connection.read()
      if (!chunk) return false
      reader.push(chunk)
    }
  }
  try {
    return await dialWithin(dial, work(), route, { leftMs: timeoutMs, connectTimeoutMs: timeoutMs })
  } catch {
    return false
  } finally {
    dial.giveUp()
  }
}

function isPgBouncers(message: Uint8Array): boolean {
  if (message[0] !== Backend.errorResponse) return false
  return /^unsupported startup parameter: nullpool_doctor/.test(readErrorFields(message).message)
}
