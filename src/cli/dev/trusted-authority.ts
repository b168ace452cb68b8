import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** Where Node, Deno and libpq look for authorities. */
const VARIABLES = ['NODE_EXTRA_CA_CERTS', 'DENO_CERT', 'PGSSLROOTCERT']

/**
 * The environment in which a program trusts an authority beside the ones that it trusts already.
 *
 * A variable that names a file gets another one, with both in it; its own file stays as it is.
 */
export async function trustEnvironment(caFile: string): Promise<Record<string, string>> {
  const pairs = VARIABLES.map(async (variable) => [variable, await fileFor(variable, caFile)])
  return Object.fromEntries(await Promise.all(pairs))
}

async function fileFor(variable: string, caFile: string): Promise<string> {
  const own = process.env[variable]
  if (!own || own === caFile) return caFile
  const text = await readFile(own, 'utf8').catch(() => undefined)
  // A name such as libpq's "system", or a file that is not there.
  if (text === undefined) return caFile
  const file = join(dirname(caFile), `${variable.toLowerCase()}.pem`)
  await writeFile(file, `${text.trimEnd()}\n${await readFile(caFile, 'utf8')}`)
  return file
}
