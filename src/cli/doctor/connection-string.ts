import { diagnoseConnectionString } from '../../connection-findings.ts'
import { parseConnectionString } from '../../connection-string.ts'
import { type Examination, found } from './examination.ts'
import type { Outcome } from './report.ts'

/** What the text alone tells; nothing leaves the machine. */
export function connectionString(examination: Examination): Promise<Outcome> {
  const { text, name, kind } = found(examination.source)
  const isBinding = kind === 'wrangler'
  const findings = diagnoseConnectionString(text, {
    variable: name,
    ...(examination.options.stationary ? { runtime: 'stationary' } : {}),
    ...(isBinding ? { hyperdriveBinding: true } : {}),
  })
  examination.findings = findings
  if (findings.some(({ code }) => code === 'unparsable')) {
    return Promise.resolve({ summary: 'Not readable.', notes: findings, stops: true })
  }
  const target = parseConnectionString(text)
  examination.target = target
  const { host, port, user, database, provider, mode } = target
  return Promise.resolve({
    summary: String(target),
    // The mode is looked at below, where it is seen and not guessed.
    notes: findings.filter(({ code }) => code !== 'mode-unknown'),
    data: { host, port, user, database, provider, statedMode: mode },
  })
}
