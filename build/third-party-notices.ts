// What the licences of bundled packages ask for: their text goes along with what was made of them.

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Where a package lies, of a file in it: behind the last `node_modules/`, one name or two. */
const PACKAGE = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//

/**
 * Writes name, version and licence of every package of which a bundle holds a file.
 *
 * @throws where a package brings no text of its licence along.
 */
export async function writeNotices(inputs: readonly string[], file: string): Promise<void> {
  const folders = new Set(
    inputs.map((input) => PACKAGE.exec(input)?.[1]).filter((one) => one !== undefined),
  )
  const notices = await Promise.all([...folders].sort().map(noticeOf))
  await writeFile(file, notices.join(`\n${'-'.repeat(80)}\n\n`))
}

async function noticeOf(folder: string): Promise<string> {
  const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as {
    name: string
    version: string
    license?: string
  }
  const { name, version, license } = manifest
  const licence = (await readdir(folder)).find((entry) => /^licen[cs]e(\.\w+)?$/i.test(entry))
  if (licence === undefined) throw new Error(`${name} has no text of its licence (${license}).`)
  return `${name} ${version} (${license})\n\n${await readFile(join(folder, licence), 'utf8')}`
}
