import { NullpoolError } from './errors.ts'
import type { DatabaseOptions } from './options.ts'
import type { Runtime } from './runtime.ts'

/** A connection string and where it was found. */
export interface ConnectionSource {
  text: string
  /** The option, the binding or the variable. */
  name: string
  /** The names of all Hyperdrive bindings that there are, where it comes from one of them. */
  hyperdrives?: readonly string[]
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
    const hyperdrives = Object.keys(place)
      .filter((name) => connectionStringOf(place[name]) !== undefined)
      // By name, because no platform promises an order; the one of Cloudflare's examples goes first.
      .sort((left, right) => rank(left) - rank(right) || (left < right ? -1 : 1))
    const [name] = hyperdrives
    const text = name === undefined ? undefined : connectionStringOf(place[name])
    if (name !== undefined && text !== undefined) return { text, name, hyperdrives }
  }
  return undefined
}

function rank(name: string): number {
  return name === 'HYPERDRIVE' ? 0 : 1
}

/** Of a Hyperdrive in front of Postgres; there are such in front of MySQL. */
function connectionStringOf(binding: unknown): string | undefined {
  const text = isRecord(binding) ? binding.connectionString : undefined
  return typeof text === 'string' && text !== '' && !/^mysql:/i.test(text) ? text : undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
