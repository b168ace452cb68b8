/** `npm run docs:errors`: writes the tables of docs/errors.md from the comments in src/errors.ts. */
import { readFile, writeFile } from 'node:fs/promises'

const SOURCE = new URL('../src/errors.ts', import.meta.url)
const PAGE = new URL('../docs/errors.md', import.meta.url)

const BEGIN = '<!-- written by npm run docs:errors from src/errors.ts -->\n'
const END = '<!-- end of what is written -->\n'

/** One code, as its comment explains it. */
interface ExplainedCode {
  section: string
  code: string
  means: string
  remedy: string
}

/** The codes of the union in their order. Throws where one has no comment, or none that holds an arrow. */
export function readErrorCodes(source: string): ExplainedCode[] {
  const [union = ''] = /export type NullpoolErrorCode =\n(?:.+\n)+/.exec(source) ?? []
  const parts =
    /^ {2}\/\/ (?<section>.+)$|^ {2}\/\*\*(?<comment>[\s\S]*?)\*\/\n|^ {2}\| '(?<code>\w+)'$/gm
  const codes: ExplainedCode[] = []
  let section = ''
  let comment = ''
  for (const { groups = {} } of union.matchAll(parts)) {
    section = groups.section ?? section
    comment = groups.comment ?? comment
    if (!groups.code) continue
    const [means, remedy] = textOf(comment).split(' → ')
    if (!means || !remedy) {
      throw new Error(
        `src/errors.ts: the comment of ${groups.code} is no “what it means → what to do”.`,
      )
    }
    codes.push({ section, code: groups.code, means, remedy })
    comment = ''
  }
  return codes
}

/** The page with its tables written anew. */
export function writeErrorTables(page: string, source: string): string {
  const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (before < 0 || after < before) throw new Error('docs/errors.md has lost its two marks.')
  const codes = readErrorCodes(source)
  const sections = [...new Set(codes.map(({ section }) => section))]
  const tables = sections.map((section) => {
    const rows = codes
      .filter((code) => code.section === section)
      .map(({ code, means, remedy }) => `| \`${code}\` | ${means} | ${remedy} |`)
    return `\n## ${section}\n\n| code | what it means | what to do |\n| --- | --- | --- |\n${rows.join('\n')}\n`
  })
  return `${page.slice(0, before)}${BEGIN}${tables.join('')}\n${page.slice(after)}`
}

function textOf(comment: string): string {
  return comment
    .split('\n')
    .map((line) => line.replace(/^ {3}\* ?/, '').trim())
    .filter((line) => line !== '')
    .join(' ')
}

if (import.meta.main) {
  const page = await readFile(PAGE, 'utf8')
  await writeFile(PAGE, writeErrorTables(page, await readFile(SOURCE, 'utf8')))
}
