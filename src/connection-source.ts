import { NullpoolError } from './errors.ts'
import type { DatabaseOptions } from './options.ts'
import type { Runtime } from './runtime.ts'

/** A connection string and where it was found. */
export interface ConnectionSource {
  text: string
  /** The option, the binding or the variable. */
  name: string
}

const VARIABLES = ['DATABASE_URL', 'POSTGRES_URL', 'SUPABASE_DB_URL'] as const

/**
 * Finds the connection string of a request: the `url` option, else a Hyperdrive binding, else the known
 * variables, each looked for in the bindings and then in the environment.
 *
 * @throws {NullpoolError} `ERR_URL_MISSING`, which lists what was looked for.
 */
export function findConnectionString(
  url: DatabaseOptions['url'],
  env: unknown,
  runtime: Runtime,
): ConnectionSource {
  if (url !== undefined) return fromOption(url, env)
  const bindings = [env, runtime.bindings()].filter(isRecord)
  const hyperdrive = findHyperdrive(bindings)
  if (hyperdrive) return hyperdrive
  for (const name of VARIABLES) {
    const values = [...bindings.map((place) => place[name]), runtime.variable(name)]
    const text = values.find((value) => typeof value === 'string' && value !== '')
    if (typeof text === 'string') return { text, name }
  }
  throw new NullpoolError('ERR_URL_MISSING', 'There is no connection string.', {
    hint: `Looked for a Hyperdrive binding, then ${VARIABLES.join(', ')} in the bindings and the environment. Set DATABASE_URL to the transaction-mode string of your pooler (port 6543), or pass the option url.`,
  })
}

function fromOption(url: NonNullable<DatabaseOptions['url']>, env: unknown): ConnectionSource {
  const text = typeof url === 'function' ? url(env) : url
  if (typeof text === 'string' && text !== '') return { text, name: 'url' }
  throw new NullpoolError('ERR_URL_MISSING', 'The option url gave no connection string.', {
    hint: 'The function is called with the bindings of the request (c.env) and returns the string; is the secret set in this environment?',
  })
}

function findHyperdrive(bindings: Record<string, unknown>[]): ConnectionSource | undefined {
  for (const place of bindings) {
    // The name that Cloudflare's own examples use goes first where there are several.
    const names = Object.keys(place).sort(
      (left, right) => Number(right === 'HYPERDRIVE') - Number(left === 'HYPERDRIVE'),
    )
    for (const name of names) {
      const binding = place[name]
      const text = isRecord(binding) ? binding.connectionString : undefined
      if (typeof text === 'string' && text !== '') return { text, name }
    }
  }
  return undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
