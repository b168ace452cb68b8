import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse as parseDotenv } from 'dotenv'
import { type ParseError, parse as parseJsonc } from 'jsonc-parser'
import { parse as parseToml } from 'smol-toml'

/** What the library itself looks for, in its order. */
export const VARIABLES = ['DATABASE_URL', 'POSTGRES_URL', 'SUPABASE_DB_URL'] as const

export const WRANGLER_FILES = ['wrangler.jsonc', 'wrangler.json', 'wrangler.toml'] as const

/** A configuration is no longer than this. */
const FILE_LIMIT = 1_048_576

/** A connection string as it was found, and where. */
export interface FoundUrl {
  kind: 'argument' | 'environment' | 'dev-vars' | 'dotenv' | 'wrangler'
  /** The variable or the binding. */
  name: string
  /** The file, as a path from the working directory. */
  file?: string
  text: string
}

/** A Hyperdrive that Wrangler's configuration binds. */
export interface Hyperdrive {
  binding: string
  id: string
  file: string
  localConnectionString?: string
}

/** What was found, and on the way to it. */
export interface UrlSearch {
  found: FoundUrl | undefined
  /** Files that are there and could not be read, or not understood. */
  unreadable: { file: string; why: 'access' | 'syntax' }[]
  /** Those that hold no connection string among them. */
  hyperdrives: Hyperdrive[]
}

/** Where to look. */
export interface UrlSurroundings {
  directory: string
  environment: Readonly<Record<string, string | undefined>>
}

/** Looks for the connection string: argument, environment, `.dev.vars`, `.env`, Wrangler's configuration. */
export async function findUrl(
  argument: string | undefined,
  surroundings: UrlSurroundings,
): Promise<UrlSearch> {
  const search: UrlSearch = { found: undefined, unreadable: [], hyperdrives: [] }
  search.found =
    fromArgument(argument) ??
    fromVariables(surroundings.environment, { kind: 'environment' }) ??
    (await fromDotenv(surroundings.directory, '.dev.vars', 'dev-vars', search)) ??
    (await fromDotenv(surroundings.directory, '.env', 'dotenv', search)) ??
    (await fromWrangler(surroundings, search))
  return search
}

function fromArgument(text: string | undefined): FoundUrl | undefined {
  return text === undefined ? undefined : { kind: 'argument', name: 'url', text }
}

function fromVariables(
  values: Readonly<Record<string, string | undefined>>,
  where: Pick<FoundUrl, 'kind' | 'file'>,
): FoundUrl | undefined {
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
  search: UrlSearch,
): Promise<FoundUrl | undefined> {
  const text = await readIfThere(directory, file, search)
  return text === undefined ? undefined : fromVariables(parseDotenv(text), { kind, file })
}

async function fromWrangler(
  { directory, environment }: UrlSurroundings,
  search: UrlSearch,
): Promise<FoundUrl | undefined> {
  for (const file of WRANGLER_FILES) {
    const text = await readIfThere(directory, file, search)
    if (text === undefined) continue
    const hyperdrives = hyperdrivesOf(text, file, search)
    search.hyperdrives.push(...hyperdrives)
    for (const { binding, localConnectionString } of hyperdrives) {
      const name = `CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_${binding}`
      const older = `WRANGLER_HYPERDRIVE_LOCAL_CONNECTION_STRING_${binding}`
      const variable = [name, older].find((one) => environment[one])
      const local = variable ? environment[variable] : localConnectionString
      if (!local) continue
      const place = variable ? { name: variable } : { name: binding, file }
      return { kind: 'wrangler', ...place, text: local }
    }
    return undefined
  }
  return undefined
}

/** @see https://developers.cloudflare.com/workers/wrangler/configuration/#hyperdrive */
function hyperdrivesOf(text: string, file: string, search: UrlSearch): Hyperdrive[] {
  const manifest = file.endsWith('.toml') ? readToml(text) : readJsonc(text)
  if (manifest === undefined) search.unreadable.push({ file, why: 'syntax' })
  const list = isRecord(manifest) && Array.isArray(manifest.hyperdrive) ? manifest.hyperdrive : []
  return list.filter(isRecord).map(({ binding, id, localConnectionString }) => ({
    binding: String(binding),
    id: String(id),
    file,
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
  search: UrlSearch,
): Promise<string | undefined> {
  try {
    const text = await readFile(join(directory, file), 'utf8')
    if (text.length <= FILE_LIMIT) return text
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
  }
  search.unreadable.push({ file, why: 'access' })
  return undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
