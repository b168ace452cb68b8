import { diagnoseConnectionString, type Finding } from '../../connection-findings.ts'
import { parseConnectionString } from '../../connection-string.ts'
import type { ConnectionTarget } from '../../connection-target.ts'
import { NullpoolError } from '../../errors.ts'
import { FORM_WORDS, type PastedForm, type PastedUrl, readPastedUrl } from '../source/pasted-url.ts'
import { type Examination, found } from './examination.ts'
import type { Note, Outcome } from './report.ts'

/** What the text alone tells; nothing leaves the machine. */
export function connectionString(examination: Examination): Promise<Outcome> {
  const source = found(examination.source)
  const pasted = read(source.text)
  if ('level' in pasted) return Promise.resolve(unreadable([pasted]))
  const { text, form } = pasted
  examination.source = { ...source, text }
  const findings = diagnoseConnectionString(text, {
    variable: source.name,
    ...(examination.options.stationary ? { runtime: 'stationary' } : {}),
    ...(source.kind === 'wrangler' ? { hyperdriveBinding: true } : {}),
  })
  examination.findings = findings
  if (findings.some(({ code }) => code === 'unparsable')) {
    return Promise.resolve(unreadable(findings))
  }
  const target = parseConnectionString(text)
  examination.target = target
  examination.form = form
  const { host, port, user, database, provider, mode } = target
  return Promise.resolve({
    summary: String(target),
    // The mode is looked at below, where it is seen and not guessed.
    notes: [
      ...(form === undefined ? [] : [otherForm(form, target)]),
      ...findings.filter(({ code }) => code !== 'mode-unknown'),
    ],
    data: { host, port, user, database, provider, statedMode: mode, writtenAs: form ?? null },
  })
}

function read(text: string): PastedUrl | Finding {
  try {
    return readPastedUrl(text)
  } catch (error) {
    if (!NullpoolError.is(error)) throw error
    const { hint: fix = '', message } = error
    const words = message.replace(fix, '').trim()
    return { level: 'error', code: 'unparsable', message: words, fix }
  }
}

function unreadable(notes: readonly Note[]): Outcome {
  return { summary: 'Not readable.', notes, stops: true }
}

/** This command understands it; what a program gives to the package has to be a URL. */
function otherForm(form: PastedForm, target: ConnectionTarget): Note {
  return {
    level: 'warning',
    code: 'other-form',
    message: `This is ${FORM_WORDS[form]}, which the package itself does not take.`,
    fix: `Write it as a URL: ${target}`,
  }
}
