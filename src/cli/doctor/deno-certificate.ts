import { readFile } from 'node:fs/promises'
import { codeOf } from './bounded.ts'

/** What `DENO_CERT` of this environment adds to the roots of Deno. */
export interface DenoCertificate {
  file: string
  roots: readonly string[]
  /** Why the file cannot be read, if it cannot. */
  failure?: string
}

/** Reads the file that `DENO_CERT` names; `undefined` where it is not set. */
export async function denoCertificate(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<DenoCertificate | undefined> {
  const file = environment.DENO_CERT
  if (!file) return undefined
  try {
    return { file, roots: [await readFile(file, 'utf8')] }
  } catch (error) {
    return { file, roots: [], failure: codeOf(error) }
  }
}
