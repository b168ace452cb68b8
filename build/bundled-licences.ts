import { readdir, readFile } from 'node:fs/promises'
import type { Metafile } from 'esbuild'

const root = new URL('../', import.meta.url)

/** The licences of every package that a bundle took something of, as their terms ask for. */
export async function licencesOf(...metafiles: Metafile[]): Promise<string> {
  const inputs = metafiles.flatMap((metafile) => Object.keys(metafile.inputs))
  const folders = inputs.flatMap(
    (input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+\//.exec(input) ?? [],
  )
  const notices = [...new Set(folders)].sort().map(noticeOf)
  return (await Promise.all(notices)).join(`\n${'-'.repeat(78)}\n\n`)
}

async function noticeOf(folder: string): Promise<string> {
  const at = new URL(folder, root)
  const { name, version, license } = JSON.parse(await readFile(new URL('package.json', at), 'utf8'))
  const files = (await readdir(at)).filter((file) => /^(licen[cs]e|notice)/i.test(file)).sort()
  const texts = await Promise.all(files.map((file) => readFile(new URL(file, at), 'utf8')))
  return `${[`${name} ${version} (${license})`, ...texts.map((text) => text.trim())].join('\n\n')}\n`
}
