import { NullpoolError, ServerError } from '../../errors.ts'
import { failureText } from '../failure-text.ts'
import { bounded, codeOf, since, TooLong } from './bounded.ts'
import { configuration } from './configuration.ts'
import { connectionString } from './connection-string.ts'
import { dns } from './dns.ts'
import type { DoctorOptions, Examination } from './examination.ts'
import { login } from './login.ts'
import { measure } from './measure.ts'
import { mode } from './mode.ts'
import { reach } from './reach.ts'
import { recommend } from './recommendation.ts'
import type {
  DoctorReport,
  Note,
  Outcome,
  StepName,
  StepReport,
  TargetReport,
  Verdict,
} from './report.ts'
import { server } from './server.ts'
import { tls } from './tls.ts'

const STEPS: readonly [StepName, (examination: Examination) => Promise<Outcome>][] = [
  ['configuration', configuration],
  ['connection-string', connectionString],
  ['dns', dns],
  ['reach', reach],
  ['tls', tls],
  ['login', login],
  ['mode', mode],
  ['server', server],
  ['measure', measure],
]

/** No step has more waits than this, one after the other. */
const WAITS_IN_A_STEP = 12

/** What the command line adds. */
export interface ExaminationListener {
  /** Whether the recommendation holds the password. */
  showSecret: boolean
  /** Whether a warning makes the exit code 1. */
  strict: boolean
  /** Told of each step as soon as it is done. */
  onStep?: (report: StepReport, examination: Examination) => void
}

/**
 * Looks at a connection string step by step, from the text to milliseconds.
 *
 * Stops looking where a step makes the next impossible, and says so for every step that it leaves out.
 * Logs in once; further connections are opened only where that login has succeeded. Never throws for what
 * it finds.
 */
export async function runExamination(
  options: DoctorOptions,
  { showSecret, strict, onStep }: ExaminationListener,
): Promise<DoctorReport> {
  const examination: Examination = { options }
  const steps: StepReport[] = []
  let stopped: StepName | undefined
  try {
    for (const [step, run] of STEPS) {
      // What cannot work is not tried at the server: it would count as a failed login.
      const barred =
        step === 'login' ? steps.find(({ verdict }) => verdict === 'failed')?.step : undefined
      stopped ??= barred
      const { stops, ...report } =
        stopped === undefined
          ? await perform(step, run, examination)
          : { ...leftOut(step, stopped), stops: false }
      steps.push(report)
      onStep?.(report, examination)
      if (stops) stopped ??= step
    }
  } finally {
    await examination.session?.close()
  }
  return summarize(examination, steps, { showSecret, strict })
}

async function perform(
  step: StepName,
  run: (examination: Examination) => Promise<Outcome>,
  examination: Examination,
): Promise<StepReport & { stops: boolean }> {
  const start = performance.now()
  const limit = examination.options.timeoutMs * WAITS_IN_A_STEP
  const outcome = await bounded(run(examination), limit).catch((error: unknown) =>
    explain(error, examination),
  )
  const { notes = [], data = {}, skipped = false, stops = false } = outcome
  const worst = notes.find(({ level }) => level === 'error') ?? notes.find(isWarning)
  return {
    step,
    verdict: skipped ? 'skipped' : verdictOf(notes),
    durationMs: since(start),
    summary: worst?.message ?? outcome.summary,
    notes,
    data,
    stops,
  }
}

function leftOut(step: StepName, because: StepName): StepReport {
  return {
    step,
    verdict: 'skipped',
    durationMs: 0,
    summary: `Not looked at, because ${because} failed.`,
    notes: [],
    data: {},
  }
}

/** What a step dies of makes those behind it impossible. */
function explain(error: unknown, { target }: Examination): Outcome {
  const said = failureText(error, [target])
  if (error instanceof ServerError) return refused(error, said)
  const note: Note = NullpoolError.is(error)
    ? noteOf(error, said)
    : {
        level: 'error',
        code: 'unexpected',
        message:
          error instanceof TooLong
            ? `The step got no answer: ${error.message}.`
            : `The step ended by itself: ${error instanceof Error ? error.message : codeOf(error)}`,
      }
  return { summary: note.message, notes: [note], stops: true }
}

/** A statement of ours that this server has not, or not for this role; the connection lives on. */
function refused({ sqlState }: ServerError, said: string): Outcome {
  const note: Note = {
    level: 'warning',
    code: 'statement-refused',
    message: `The server refused a statement of this step: ${said} (${sqlState}).`,
    fix: 'Give the role the right to read the catalogues, or go without this step.',
  }
  return { summary: note.message, notes: [note] }
}

/** An error of the package as a note; its message ends with the hint, which is the fix. */
function noteOf({ code, hint }: NullpoolError, said: string): Note {
  const level = 'error'
  if (hint === undefined) return { level, code, message: said }
  return { level, code, message: said.replace(hint, '').trim(), fix: hint }
}

function isWarning({ level }: Note): boolean {
  return level === 'warning'
}

function verdictOf(notes: readonly Note[]): Verdict {
  if (notes.some(({ level }) => level === 'error')) return 'failed'
  return notes.some(isWarning) ? 'warning' : 'ok'
}

function summarize(
  examination: Examination,
  steps: readonly StepReport[],
  { showSecret, strict }: { showSecret: boolean; strict: boolean },
): DoctorReport {
  const failed = steps.find(({ verdict }) => verdict === 'failed')
  const cause = failed?.notes.find(({ level }) => level === 'error')
  const warned = steps.some(({ verdict }) => verdict === 'warning')
  const verdict = failed ? 'failed' : warned ? 'warning' : 'ok'
  const { source } = examination
  const recommendation = recommend(examination, showSecret)
  return {
    schema: 1,
    verdict,
    exitCode: failed ? 2 : warned && strict ? 1 : 0,
    ...(source === undefined ? {} : { source: withoutText(source) }),
    ...(examination.target === undefined ? {} : { target: targetOf(examination.target) }),
    steps,
    ...(failed && cause ? { firstFailure: { step: failed.step, ...cause } } : {}),
    ...(recommendation === undefined ? {} : { recommendation }),
  }
}

function withoutText({ kind, name, file }: NonNullable<Examination['source']>) {
  return { kind, name, ...(file === undefined ? {} : { file }) }
}

function targetOf(target: NonNullable<Examination['target']>): TargetReport {
  const { host, port, user, database, provider, mode: statedMode } = target
  return { url: String(target), host, port, user, database, provider, statedMode }
}
