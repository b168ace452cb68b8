import { diagnoseConnectionString, type Finding, type FindingCode } from './connection-findings.ts'
import { type ConnectionSource, findConnectionString } from './connection-source.ts'
import { parseConnectionString } from './connection-string.ts'
import { type ConnectionTarget, isLoopbackHost } from './connection-target.ts'
import { NullpoolError } from './errors.ts'
import type { GuardMode } from './guard/guard.ts'
import type { Pooler, Settings, Tls } from './options.ts'
import type { Runtime } from './runtime.ts'
import type { Route } from './wire/dial.ts'
import type { Credentials } from './wire/handshake.ts'
import { direct, hyperdrive, type Profile, pipelined, universal } from './wire/profile.ts'
import type { TlsOptions } from './wire/transport.ts'

/** Where a request connects to, as whom and how, and what is odd about it. */
export interface ConnectionPlan {
  target: ConnectionTarget
  route: Route
  credentials: Credentials
  /** What becomes of statements that need a session. */
  guard: GuardMode
  /** Whether a Hyperdrive is in between, which may keep rows for whoever sends the same text. */
  hyperdrive: boolean
  warnings: Finding[]
}

/** One name for all clients: PgBouncer sends a SET of its own whenever it changes. */
const APPLICATION_NAME = 'nullpool'

/** Mistakes that a pooler would count as a failed login. */
const CERTAIN_FAILURES: ReadonlySet<FindingCode> = new Set([
  'placeholder-password',
  'user-without-reference',
])

/**
 * Reads the connection string of a request and decides how to connect.
 *
 * @throws {NullpoolError} `ERR_URL_MISSING`, `ERR_URL_INVALID` for one that cannot work, or `ERR_OPTIONS`
 *   for a `tls` that it cannot have.
 */
export function planConnection(settings: Settings, env: unknown, runtime: Runtime): ConnectionPlan {
  const source = findConnectionString(settings.url, env, runtime)
  const target = parseConnectionString(source.text)
  const findings = diagnoseConnectionString(source.text, {
    variable: source.name,
    runtime: runtime.name,
    hyperdriveBinding: source.hyperdrives !== undefined,
  })
  for (const finding of findings) {
    if (!CERTAIN_FAILURES.has(finding.code)) continue
    throw new NullpoolError('ERR_URL_INVALID', finding.message, { hint: finding.fix })
  }
  // In local development a binding can be the server's own string, which names no Hyperdrive.
  const isHyperdrive = source.hyperdrives !== undefined || target.provider === 'hyperdrive'
  const pooler = settings.pooler === 'auto' && isHyperdrive ? 'hyperdrive' : settings.pooler
  return {
    target,
    hyperdrive: isHyperdrive || pooler === 'hyperdrive',
    route: {
      transport: settings.transport,
      address: { host: target.host, port: target.port },
      tls: chooseTls(settings.tls, target),
      profile: chooseProfile(pooler, target),
      allowsClear: allowsClear(settings.tls, target),
    },
    credentials: {
      user: target.user,
      database: target.database,
      password: () => target.revealPassword(),
      applicationName: target.applicationName ?? APPLICATION_NAME,
    },
    guard: settings.guard ?? (isHyperdrive ? 'throw' : chooseGuard(pooler, target)),
    warnings: [...severalHyperdrives(source), ...findings.filter(({ level }) => level !== 'info')],
  }
}

/** One database is as good as another only to whoever does not know them. */
function severalHyperdrives({ name, hyperdrives = [] }: ConnectionSource): Finding[] {
  if (hyperdrives.length < 2 || name === 'HYPERDRIVE') return []
  return [
    {
      level: 'warning',
      code: 'hyperdrive-ambiguous',
      message: `There are several Hyperdrive bindings (${hyperdrives.join(', ')}): ${name} was taken, the first by its name.`,
      fix: `Say which one: url: (env) => env.${name}.connectionString, or call it HYPERDRIVE.`,
    },
  ]
}

const PROFILES: Record<Exclude<Pooler, 'auto'>, Profile> = {
  supavisor: universal,
  pgbouncer: pipelined,
  postgres: pipelined,
  neon: direct,
  hyperdrive,
}

const PROVIDERS: Record<ConnectionTarget['provider'], Profile> = {
  'supabase-shared': universal,
  'supabase-dedicated': pipelined,
  'supabase-direct': pipelined,
  'neon-pooler': direct,
  'neon-direct': direct,
  hyperdrive,
  loopback: universal,
  other: universal,
}

/** What becomes of statements that need a session, unless an option says it. */
export function chooseGuard(pooler: Pooler, { mode }: Pick<ConnectionTarget, 'mode'>): GuardMode {
  if (mode !== 'unknown') return mode === 'transaction' ? 'throw' : 'off'
  if (pooler === 'auto' || pooler === 'neon') return 'warn'
  return pooler === 'postgres' ? 'off' : 'throw'
}

/** By name or by host, never by probing: a wrong guess could hang or lose a statement. */
export function chooseProfile(pooler: Pooler, target: ConnectionTarget): Profile {
  const profile = pooler === 'auto' ? PROVIDERS[target.provider] : PROFILES[pooler]
  const directIsSafe = profile !== hyperdrive && pooler !== 'supavisor'
  return target.sslNegotiation === 'direct' && directIsSafe ? direct : profile
}

/** `undefined` is plaintext: by name, on the same machine, or inside of Cloudflare's own network. */
export function chooseTls(
  option: Tls | undefined,
  target: ConnectionTarget,
): TlsOptions | undefined {
  if (target.provider === 'hyperdrive') return refuseTls(option)
  if (option === 'disable') return undefined
  if (option === 'verify') return {}
  if (option !== undefined) return option
  if (target.sslMode === 'disable') return undefined
  const wanted = target.sslMode !== undefined && !/^(allow|prefer)$/.test(target.sslMode)
  return isLoopbackHost(target.host) && !wanted ? undefined : {}
}

/** Said by name; that the target is loopback says nothing of a gateway that leads there. */
function allowsClear(option: Tls | undefined, { sslMode }: ConnectionTarget): boolean {
  return option === 'disable' || (option === undefined && sslMode === 'disable')
}

/** The binding's socket has no TLS, and stays inside of Cloudflare: whoever asks for it has to know. */
function refuseTls(option: Tls | undefined): undefined {
  if (option === undefined || option === 'disable') return
  throw new NullpoolError('ERR_OPTIONS', 'The option tls cannot be honoured behind Hyperdrive.', {
    hint: 'Leave tls out: the binding is reached inside of Cloudflare in clear, and Hyperdrive itself encrypts and verifies the way to the database; upload the CA there (wrangler cert upload).',
  })
}
