import type { Finding } from '../../connection-findings.ts'
import type { ConnectionTarget } from '../../connection-target.ts'
import type { TlsOptions } from '../../wire/transport.ts'
import type { PastedForm } from '../source/pasted-url.ts'
import type { PoolerSession } from './pooler-session.ts'
import type { SourceReport } from './report.ts'

/** What the command line has said. */
export interface DoctorOptions {
  /** The argument. */
  url?: string
  /** Where files are looked for. */
  directory: string
  environment: Readonly<Record<string, string | undefined>>
  /** The longest wait of a single thing, in milliseconds. */
  timeoutMs: number
  /** A DNS server in the place of the machine's own. */
  resolver?: string
  /** Root certificates in PEM, as `tls: { ca }`. */
  ca?: string
  /** The name that the certificate carries, as `tls: { serverName }`. */
  serverName?: string
  /** The string is for a server that lives long, and not for an edge function. */
  stationary?: boolean
}

/** One address of the host. */
export interface HostAddress {
  address: string
  family: 4 | 6
}

/** What poolers call themselves; `unknown` where something is in between that tells no name. */
export type PoolerName = 'none' | 'supavisor' | 'pgbouncer' | 'hyperdrive' | 'unknown'

/** What the steps find out and hand on; each field is written by one step. */
export interface Examination {
  readonly options: DoctorOptions
  source?: SourceReport & { text: string }
  target?: ConnectionTarget
  /** How the text was written, where it was no URL. */
  form?: PastedForm | undefined
  findings?: readonly Finding[]
  addresses?: readonly HostAddress[]
  /** The first that answered; everything later goes there. */
  address?: HostAddress
  /** `undefined`: in clear, as the connection string says or because the host is this machine. */
  tls?: TlsOptions
  /** The one login. */
  session?: PoolerSession
  mode?: 'transaction' | 'session' | 'direct' | 'unknown'
  pooler?: PoolerName
  roundTripMs?: number
}

/** What the step before must have found; a step that runs without it is a mistake of ours. */
export function found<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('A step of the doctor ran before the one it needs.')
  return value
}
