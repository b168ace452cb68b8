import { styled } from '../styled.ts'
import { detailsOf } from './render-details.ts'
import type { DoctorReport, Note, StepReport, Verdict } from './report.ts'

type Paint = (text: string) => string

const COLOURS = { ok: 'green', warning: 'yellow', failed: 'red', skipped: 'dim' } as const

/** How a terminal shows it; without colours the marks alone tell the verdict. */
export class TextRenderer {
  /** A step with what it found, as soon as it is done. */
  step(report: StepReport): string {
    const { step, verdict, durationMs, summary, notes } = report
    const time = verdict === 'skipped' ? '' : `${durationMs} ms`
    const head = `${mark(verdict)} ${step.padEnd(17)} ${time.padStart(10)}  `
    const cause = notes.find(({ message }) => message === summary)
    const lines = [this.#paint(verdict)(head) + clean(summary)]
    if (cause?.fix) lines.push(this.#fix(cause.fix))
    for (const note of notes) if (note !== cause) lines.push(...this.#note(note))
    for (const line of detailsOf(report)) lines.push(this.#dim(indent(clean(line))))
    return `${lines.join('\n')}\n`
  }

  /** What to set where, and the verdict of all. */
  end({ verdict, firstFailure, recommendation, steps }: DoctorReport): string {
    const lines = ['']
    if (recommendation) {
      const { url, changed, options } = recommendation
      lines.push(headline(verdict, changed), `  ${clean(url)}`)
      for (const { for: where, line } of recommendation.lines)
        lines.push(`  ${this.#dim(`${where}:`)} ${clean(line)}`)
      if (Object.keys(options).length > 0) {
        lines.push(`  ${this.#dim('createDatabase:')} ${clean(JSON.stringify(options))}`)
      }
      lines.push('')
    }
    const warnings = steps.filter((one) => one.verdict === 'warning').length
    lines.push(
      this.#paint(verdict)(
        `${mark(verdict)} ${verdictText(verdict, warnings, firstFailure?.step)}`,
      ),
    )
    return `${lines.join('\n')}\n`
  }

  #note({ level, message, fix }: Note): string[] {
    const sign = level === 'error' ? '✘' : level === 'warning' ? '!' : 'i'
    const line = indent(`${sign} ${clean(message)}`)
    return fix === undefined ? [line] : [line, this.#fix(fix)]
  }

  #fix(fix: string): string {
    return indent(`→ ${clean(fix)}`)
  }

  #paint(verdict: Verdict): Paint {
    return (text) => styled(COLOURS[verdict], text)
  }

  #dim(text: string): string {
    return styled('dim', text)
  }
}

function mark(verdict: Verdict): string {
  if (verdict === 'ok') return '✔'
  if (verdict === 'warning') return '!'
  return verdict === 'failed' ? '✘' : '-'
}

function headline(verdict: DoctorReport['verdict'], changed: boolean): string {
  if (changed) return 'The connection string to use, which is not the one that was examined:'
  return verdict === 'failed' ? 'The connection string as it is:' : 'The connection string to use:'
}

function verdictText(
  verdict: DoctorReport['verdict'],
  warnings: number,
  step: string | undefined,
): string {
  if (verdict === 'failed') return `Failed at ${step}.`
  if (verdict === 'ok') return 'Nothing is wrong.'
  return `It works, with ${warnings === 1 ? 'a warning' : `${warnings} warnings`}.`
}

function indent(text: string): string {
  return `    ${text}`
}

/** What a server or a certificate calls itself must not steer a terminal. */
function clean(text: string): string {
  return text.replace(/\p{Cc}/gu, '?')
}
