import { findUrl, type UrlSearch, VARIABLES, WRANGLER_FILES } from '../source/find-url.ts'
import type { Examination } from './examination.ts'
import type { Note, Outcome } from './report.ts'

/** Where the connection string is from, or why there is none. */
export async function configuration(examination: Examination): Promise<Outcome> {
  const { url, directory, environment } = examination.options
  const search = await findUrl(url, { directory, environment })
  const notes = search.unreadable.map(unreadable)
  if (search.found === undefined) return missing(search, notes)
  examination.source = search.found
  const { kind, name, file } = search.found
  const where =
    kind === 'argument' ? 'From the argument' : `From ${name} in ${file ?? 'the environment'}`
  return { summary: `${where}.`, notes, data: { kind, name, file: file ?? null } }
}

function unreadable({ file, why }: UrlSearch['unreadable'][number]): Note {
  const note = { level: 'warning', code: 'file-unreadable' } as const
  return why === 'syntax'
    ? {
        ...note,
        message: `${file} cannot be read: it is not what its name says.`,
        fix: 'Mend it: npx wrangler check startup names the line.',
      }
    : {
        ...note,
        message: `${file} is there and cannot be read.`,
        fix: 'Give this user the right to read it, or pass the connection string as the argument.',
      }
}

/** An id says nothing to anybody but Cloudflare, who does not tell the password. */
function missing({ hyperdrives }: UrlSearch, notes: readonly Note[]): Outcome {
  const [hyperdrive] = hyperdrives
  const summary = 'There is no connection string.'
  const looked = `Looked at the argument, then for ${VARIABLES.join(', ')} in the environment, .dev.vars and .env, then for Hyperdrive bindings in ${WRANGLER_FILES.join(', ')}.`
  const note: Note = hyperdrive
    ? {
        level: 'error',
        code: 'hyperdrive-remote',
        message: `${hyperdrive.file} binds the Hyperdrive ${hyperdrive.binding} (${hyperdrive.id}) without a connection string for this machine.`,
        fix: `npx wrangler hyperdrive get ${hyperdrive.id} tells its origin; pass that connection string as the argument, or set localConnectionString beside the id.`,
      }
    : {
        level: 'error',
        code: 'ERR_URL_MISSING',
        message: `${summary} ${looked}`,
        fix: 'Pass it: nullpool doctor "postgres://user:password@host:6543/database".',
      }
  const ids = hyperdrives.map(({ binding, id, file }) => ({ binding, id, file }))
  return { summary, notes: [...notes, note], data: { hyperdrives: ids }, stops: true }
}
