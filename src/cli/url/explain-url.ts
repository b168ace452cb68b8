import {
  type ConnectionOrigin,
  diagnoseConnectionString,
  type Finding,
} from '../../connection-findings.ts'
import { parseConnectionString } from '../../connection-string.ts'
import type { ConnectionMode, ConnectionProvider } from '../../connection-target.ts'
import type { PastedForm, PastedUrl } from '../source/pasted-url.ts'
import { changed, changeMode, type WantedMode } from './change-mode.ts'
import { connectionForms, type FormName } from './connection-forms.ts'
import { percentEncode, writeConnectionString } from './connection-text.ts'

/** What is asked of a connection string. */
export interface ExplainOptions {
  to?: WantedMode | undefined
  /** Takes the place of the one in the string. */
  password?: string | undefined
  showSecret: boolean
  origin: ConnectionOrigin
}

/** What a connection string says; the shape of `--json`. */
export interface UrlAnswer {
  /** `null`: a URL of Postgres. */
  writtenAs: PastedForm | null
  provider: ConnectionProvider
  mode: ConnectionMode
  host: string
  port: number
  user: string
  database: string
  projectRef: string | null
  hasPassword: boolean
  /** Parameters that are left out, by name. */
  ignored: readonly string[]
  findings: Finding[]
  /** The lines for each place, the password masked unless asked for. */
  forms: Record<FormName, string>
}

/** What is no advice for somebody who has asked for just that mode. */
const WANTED: readonly string[] = ['session-port', 'direct-host', 'neon-direct']

/**
 * Reads a connection string, in another mode and with another password where these are given.
 *
 * @throws {NullpoolError} `ERR_URL_INVALID` for a text that is none.
 * @throws {CommandFailure} where the mode cannot be derived.
 */
export function explainUrl({ text, form }: PastedUrl, options: ExplainOptions): UrlAnswer {
  const { to, password, showSecret, origin } = options
  const given = parseConnectionString(text)
  const inMode = to === undefined ? given : changeMode(given, to)
  const target = password === undefined ? inMode : changed(inMode, { password })
  // As it was given, because the way it is written is a finding itself.
  const findings = diagnoseConnectionString(
    target === given ? text : writeConnectionString(target, secretOf(target)),
    origin,
  )
  const { provider, mode, host, port, user, database, projectRef = null, ignored } = target
  return {
    writtenAs: form ?? null,
    ...{ provider, mode, host, port, user, database, projectRef },
    hasPassword: target.revealPassword() !== '',
    ignored,
    findings: findings.filter(({ code }) => to === undefined || !WANTED.includes(code)),
    forms: connectionForms(target, showSecret),
  }
}

function secretOf(target: { revealPassword(): string }): { secret: string } {
  return { secret: percentEncode(target.revealPassword()) }
}
