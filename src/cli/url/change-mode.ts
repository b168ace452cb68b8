import { type ConnectionParts, ConnectionTarget } from '../../connection-target.ts'
import { CommandFailure } from '../failure.ts'

/** How connections are to be shared. */
export type WantedMode = 'transaction' | 'session' | 'direct'

const DASHBOARD =
  'The host of the shared pooler cannot be derived from the project: copy it from the dashboard under Connect.'

/**
 * The same database in another mode, where host, port and user of that are known.
 *
 * @throws {CommandFailure} where they are not, with the place to look them up.
 *
 * @see https://supabase.com/docs/guides/database/connecting-to-postgres
 */
export function changeMode(target: ConnectionTarget, wanted: WantedMode): ConnectionTarget {
  const { provider, host, mode } = target
  if (mode === wanted) return target
  switch (provider) {
    case 'supabase-shared':
      return fromShared(target, wanted)
    case 'supabase-dedicated':
      if (wanted === 'direct') return changed(target, { port: 5432 })
      throw underivable(wanted, `The dedicated pooler has transaction mode only. ${DASHBOARD}`)
    case 'supabase-direct':
      throw underivable(
        wanted,
        `${DASHBOARD} On paid plans the dedicated pooler is at ${host}:6543, in transaction mode.`,
      )
    case 'neon-direct':
    case 'neon-pooler':
      return fromNeon(target, wanted)
    case 'hyperdrive':
      throw underivable(
        wanted,
        'Behind Hyperdrive is what its configuration says: wrangler hyperdrive get.',
      )
    default:
      throw underivable(
        wanted,
        'Whether this is a pooler, and where the server behind it is, knows who runs it.',
      )
  }
}

function fromShared(target: ConnectionTarget, wanted: WantedMode): ConnectionTarget {
  if (wanted !== 'direct') return changed(target, { port: wanted === 'transaction' ? 6543 : 5432 })
  const { user, projectRef } = target
  if (projectRef === undefined) {
    throw underivable(wanted, 'The user lacks the reference of the project: <role>.<project ref>.')
  }
  return changed(target, {
    host: `db.${projectRef}.supabase.co`,
    port: 5432,
    user: user.slice(0, -projectRef.length - 1),
  })
}

function fromNeon(target: ConnectionTarget, wanted: WantedMode): ConnectionTarget {
  const [label = '', ...rest] = target.host.split('.')
  if (wanted === 'session') {
    throw underivable(
      wanted,
      'Neon’s pooler has transaction mode only; for a session take --to direct.',
    )
  }
  const name = wanted === 'direct' ? label.replace(/-pooler$/, '') : `${label}-pooler`
  return changed(target, { host: [name, ...rest].join('.') })
}

function underivable(wanted: WantedMode, why: string): CommandFailure {
  return new CommandFailure(`The string for --to ${wanted} cannot be derived from this one. ${why}`)
}

/** The same target with other parts. */
export function changed(
  target: ConnectionTarget,
  parts: Partial<Pick<ConnectionParts, 'host' | 'port' | 'user' | 'password'>>,
): ConnectionTarget {
  const { host, port, user, database, applicationName, sslMode, sslNegotiation, ignored } = target
  return new ConnectionTarget({
    host,
    port,
    user,
    database,
    password: target.revealPassword(),
    ...(applicationName !== undefined && { applicationName }),
    ...(sslMode !== undefined && { sslMode }),
    ...(sslNegotiation !== undefined && { sslNegotiation }),
    ignored,
    ...parts,
  })
}
