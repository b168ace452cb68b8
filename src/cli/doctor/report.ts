import type { ConnectionMode, ConnectionProvider } from '../../connection-target.ts'

/** Every step of an examination, in its order; closed, because the JSON promises it. */
export const STEPS = [
  'configuration',
  'connection-string',
  'dns',
  'reach',
  'tls',
  'login',
  'mode',
  'server',
  'measure',
] as const

/** The name of a step. */
export type StepName = (typeof STEPS)[number]

/** `failed`: cannot work so. `warning`: works, and hurts. `skipped`: could not be looked at, or need not. */
export type Verdict = 'ok' | 'warning' | 'failed' | 'skipped'

/** One thing that a step has found. No field ever holds a secret. */
export interface Note {
  level: 'error' | 'warning' | 'info'
  /** Stable: a code of docs/doctor.md, of docs/errors.md or of docs/connection-strings.md. */
  code: string
  message: string
  fix?: string
}

/** What a step says when it is done. */
export interface Outcome {
  /** One line, for the case that nothing is wrong. */
  summary: string
  notes?: readonly Note[]
  /** What was measured and seen, for machines. */
  data?: Readonly<Record<string, unknown>>
  /** Set where the step found that it has nothing to look at. */
  skipped?: boolean
  /** Why the steps behind this one are of no use, if they are not; an error of a step says so by itself. */
  stops?: boolean
}

/** A step as it is reported. */
export interface StepReport {
  step: StepName
  verdict: Verdict
  /** Milliseconds, to a tenth. */
  durationMs: number
  /** One line: the cause, where the verdict is not `ok`. */
  summary: string
  notes: readonly Note[]
  data: Readonly<Record<string, unknown>>
}

/** Where the connection string was found. */
export interface SourceReport {
  kind: 'argument' | 'environment' | 'dev-vars' | 'dotenv' | 'wrangler'
  /** The variable or the binding. */
  name: string
  /** The file, as a path from the working directory. */
  file?: string
}

/** What a connection string leads to; the password is not in it. */
export interface TargetReport {
  url: string
  host: string
  port: number
  user: string
  database: string
  provider: ConnectionProvider
  /** As far as host and port tell; what was proven is the step `mode`'s. */
  statedMode: ConnectionMode
}

/** What to set where. */
export interface Recommendation {
  /** The connection string to use, its password masked unless it was asked for. */
  url: string
  /** Whether it differs from the one that was examined. */
  changed: boolean
  /** What to give `createDatabase` beside the connection string. */
  options: Readonly<Record<string, unknown>>
  /** Lines for files and shells; `for` says where they belong. */
  lines: readonly { for: string; line: string }[]
}

/** The whole examination; what `--json` prints. */
export interface DoctorReport {
  /** Grows by fields only; a field that changes its meaning makes it 2. */
  schema: 1
  verdict: 'ok' | 'warning' | 'failed'
  exitCode: 0 | 1 | 2
  source?: SourceReport
  target?: TargetReport
  steps: readonly StepReport[]
  /** The first step that failed. */
  firstFailure?: { step: StepName } & Note
  recommendation?: Recommendation
}
