import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse as parseDotenv } from 'dotenv'
import { type ParseError, parse as parseJsonc } from 'jsonc-parser'
import { parse as parseToml } from 'smol-toml'
import type { Examination } from './examination.ts'
import type { Note, Outcome } from './report.ts'

/** What the library itself looks for, in its order. */
const VARIABLES = ['DATABASE_URL', 'POSTGRES_URL', 'SUPABASE_DB_URL'] as const

/** A configuration is no longer than this. */
const FILE_LIMIT = 1_048_576

type Source = NonNullable<Examination['source']>

/** A Hyperdrive that Wrangler's configuration binds. */
interface Hyperdrive {
  binding: string
  id: string
  localConnectionString?: string
}

/** What was found on the way, where it was no connection string. */
interface Search {
  notes: Note[]
  hyperdrives: (Hyperdrive & { file: string })[]
}

/** Finds the connection string: argument, environment, `.dev.vars`, `.env`, Wrangler's configuration. */
export async function configuration(examination: Examination): Promise<Outcome> {
  const { options } = examination
  const search: Search = { notes: [], hyperdrives: [] }
  const source =
    fromArgument(options.url) ??
    fromVariables(options.environment, { kind: 'environment' }) ??
    (await fromDotenv(options.directory, '.dev.vars', 'dev-vars', search)) ??
    (await fromDotenv(options.directory, '.env', 'dotenv', search)) ??
    (await fromWrangler(examination, search))
  if (source === undefined) return missing(search)
  examination.source = source
  const { kind, name, file } = source
  const where =
    kind === 'argument' ? 'From the argument' : `From ${name} in ${file ?? 'the environment'}`
  return { summary: `${where}.`, notes: search.notes, data: { kind, name, file: file ?? null } }
}

function fromArgument(text: string | undefined): Source | undefined {
  return text === undefined ? undefined : { kind: 'argument', name: 'url', text }
}

function fromVariables(
  values: Readonly<Record<string, string | undefined>>,
  where: Pick<Source, 'kind' | 'file'>,
): Source | undefined {
  for (const name of VARIABLES) {
    const text = values[name]
    if (text) return { ...where, name, text }
  }
  return undefined
}

async function fromDotenv(
  directory: string,
  file: string,
  kind: 'dev-vars' | 'dotenv',
  search: Search,
): Promise<Source | undefined> {
  const text = await readIfThere(directory, file, search)
  return text === undefined ? undefined : fromVariables(parseDotenv(text), { kind, file })
}

const WRANGLER_FILES = ['wrangler.jsonc', 'wrangler.json', 'wrangler.toml'] as const

async function fromWrangler({ options }: Examination, search: Search): Promise<Source | undefined> {
  for (const file of WRANGLER_FILES) {
    const text = await readIfThere(options.directory, file, search)
    if (text === undefined) continue
    const hyperdrives = hyperdrivesOf(text, file, search)
    search.hyperdrives.push(...hyperdrives.map((one) => ({ ...one, file })))
    for (const { binding, localConnectionString } of hyperdrives) {
      const name = `CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_${binding}`
      const older = `WRANGLER_HYPERDRIVE_LOCAL_CONNECTION_STRING_${binding}`
      const variable = [name, older].find((one) => options.environment[one])
      const local = variable ? options.environment[variable] : localConnectionString
      if (!local) continue
      const place = variable ? { name: variable } : { name: binding, file }
      return { kind: 'wrangler', ...place, text: local }
    }
    return undefined
  }
  return undefined
}

/** @see https://developers.cloudflare.com/workers/wrangler/configuration/#hyperdrive */
function hyperdrivesOf(text: string, file: string, search: Search): Hyperdrive[] {
  const manifest = file.endsWith('.toml') ? readToml(text) : readJsonc(text)
  if (manifest === undefined) {
    search.notes.push({
      level: 'warning',
      code: 'file-unreadable',
      message: `${file} cannot be read: it is not what its name says.`,
      fix: 'Mend it: npx wrangler check startup names the line.',
    })
  }
  const list = isRecord(manifest) && Array.isArray(manifest.hyperdrive) ? manifest.hyperdrive : []
  return list.filter(isRecord).map(({ binding, id, localConnectionString }) => ({
    binding: String(binding),
    id: String(id),
    ...(typeof localConnectionString === 'string' ? { localConnectionString } : {}),
  }))
}

function readToml(text: string): unknown {
  try {
    return parseToml(text)
  } catch {
    return undefined
  }
}

function readJsonc(text: string): unknown {
  const errors: ParseError[] = []
  const value: unknown = parseJsonc(text, errors, { allowTrailingComma: true })
  return errors.length === 0 ? value : undefined
}

async function readIfThere(
  directory: string,
  file: string,
  search: Search,
): Promise<string | undefined> {
  try {
    const text = await readFile(join(directory, file), 'utf8')
    if (text.length <= FILE_LIMIT) return text
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
  }
  search.notes.push({
    level: 'warning',
    code: 'file-unreadable',
    message: `${file} is there and cannot be read.`,
    fix: 'Give this user the right to read it, or pass the connection string as the argument.',
  })
  return undefined
}

/** An id says nothing to anybody but Cloudflare, who does not tell the password. */
function missing({ notes, hyperdrives }: Search): Outcome {
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

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
