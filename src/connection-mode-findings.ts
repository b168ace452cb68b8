import type { ConnectionOrigin, Finding } from './connection-findings.ts'
import type { ConnectionTarget } from './connection-target.ts'

const COPY_POOLER =
  'Copy the transaction pooler string from the dashboard (Connect, Transaction pooler): aws-…pooler.supabase.com, port 6543. Its host cannot be derived from this one.'

/** Which pooler a connection string reaches, in which mode, and what to change for transaction mode. */
export function modeFindings(target: ConnectionTarget, where: ConnectionOrigin): Finding[] {
  if (where.hyperdriveBinding) return []
  if (where.hyperdriveOrigin) return hyperdriveFindings(target)
  const { provider, mode } = target
  if (mode === 'session') {
    return [
      {
        level: 'warning',
        code: 'session-port',
        message: 'Port 5432 of the shared pooler is session mode: each client keeps a connection.',
        fix: 'Change the port to 6543.',
      },
    ]
  }
  if (mode === 'unknown') {
    return [
      ...(provider === 'other' ? supabaseVariable(where) : []),
      {
        level: 'info',
        code: 'mode-unknown',
        message: 'Host and port do not tell whether this is a pooler in transaction mode.',
        fix:
          provider === 'supabase-shared'
            ? 'Change the port to 6543.'
            : 'Check it with whoever runs the server: PgBouncer wants pool_mode = transaction, and its own port.',
      },
    ]
  }
  if (provider === 'supabase-direct') return directFindings(where)
  if (provider === 'supabase-dedicated') {
    return [
      {
        level: 'info',
        code: 'dedicated-pooler-ipv6',
        message: 'The dedicated pooler has an IPv6 address only, unless the IPv4 add-on is bought.',
        fix: `Where there is no IPv6, buy the add-on or use the shared pooler. ${COPY_POOLER}`,
      },
    ]
  }
  if (provider !== 'neon-direct') return []
  const [label = '', ...rest] = target.host.split('.')
  return [
    {
      level: 'warning',
      code: 'neon-direct',
      message: 'This is the direct host: each client takes a connection of the database.',
      fix: `Change the host to ${label}-pooler.${rest.join('.')}.`,
    },
  ]
}

function directFindings(where: ConnectionOrigin): Finding[] {
  const findings: Finding[] = [
    {
      level: 'warning',
      code: 'direct-host',
      message: 'This is the direct connection, which no pooler shares.',
      fix: COPY_POOLER,
    },
    {
      level: 'warning',
      code: 'direct-host-ipv6',
      message: 'The direct host has an IPv6 address only, unless the IPv4 add-on is bought.',
      fix: 'Use the shared pooler, which has IPv4 on every plan, or buy the add-on.',
    },
  ]
  return [...supabaseVariable(where), ...findings]
}

/** The platform fills it in, also where it is run by somebody else under a host of any name. */
function supabaseVariable({ variable }: ConnectionOrigin): Finding[] {
  if (variable !== 'SUPABASE_DB_URL') return []
  return [
    {
      level: 'warning',
      code: 'supabase-db-url-is-direct',
      message: 'SUPABASE_DB_URL is the direct connection and cannot be changed.',
      fix: `Set a secret of another name, such as DATABASE_URL. ${COPY_POOLER}`,
    },
  ]
}

function hyperdriveFindings(target: ConnectionTarget): Finding[] {
  const { mode, provider } = target
  const pooled = mode === 'transaction' || mode === 'session'
  if (!pooled || provider === 'hyperdrive') return []
  return [
    {
      level: 'warning',
      code: 'hyperdrive-to-pooler',
      message: 'Hyperdrive is a pooler itself and should not stand in front of another.',
      fix: `Give it the direct connection: ${directChange(target)}.`,
    },
  ]
}

/** The way from a pooler to the server behind it, which, unlike the way back, is known. */
function directChange({ provider, host, user, projectRef }: ConnectionTarget): string {
  if (provider === 'supabase-dedicated') return 'change the port to 5432'
  if (provider === 'neon-pooler') {
    return `change the host to ${host.replace(/^([^.]+)-pooler\./, '$1.')}`
  }
  const change = `change the host to db.${projectRef ?? '<ref>'}.supabase.co and the port to 5432`
  if (projectRef === undefined) return change
  return `${change}, and the user to ${user.slice(0, -projectRef.length - 1)}`
}
