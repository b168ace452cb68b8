import { readdir } from 'node:fs/promises'

/** A fenced block of a page. */
export interface CodeBlock {
  /** Of its first fence, counted from 1. */
  line: number
  language: string
  /** What stands behind the language. */
  marks: string
  code: string
}

/** README.md, everything in docs/, the README of every example, and what else the root has. */
export async function markdownPages(): Promise<string[]> {
  const under = async (folder: string): Promise<string[]> =>
    (await readdir(folder, { recursive: true }))
      .filter((path) => path.endsWith('.md') && !path.includes('node_modules'))
      .map((path) => `${folder}/${path}`)
  const root = (await readdir('.')).filter((path) => path.endsWith('.md'))
  return [...root, ...(await under('docs')), ...(await under('examples'))].sort()
}

/** The fenced blocks of a page, in their order. */
export function codeBlocks(page: string): CodeBlock[] {
  const fences = /^```(?<language>\w*)(?<marks>[^\n]*)\n(?<code>[\s\S]*?)^```$/gm
  return [...page.matchAll(fences)].map(({ groups = {}, index }) => ({
    line: page.slice(0, index).split('\n').length,
    language: groups.language ?? '',
    marks: groups.marks?.trim() ?? '',
    code: groups.code ?? '',
  }))
}

/** Where the links of a page lead, but for those to other sites. */
export function relativeLinks(page: string): string[] {
  const text = withoutCode(page)
  return [...text.matchAll(/\]\((?<to>[^)\s]+)\)/g)]
    .map(({ groups }) => groups?.to ?? '')
    .filter((to) => !/^[a-z]+:/.test(to))
}

/** The anchors that GitHub gives the headings of a page. */
export function anchors(page: string): Set<string> {
  const seen = new Map<string, number>()
  const headings = withoutFences(page).matchAll(/^#{1,6} (?<title>.+)$/gm)
  return new Set(
    [...headings].map(({ groups }) => {
      const slug = (groups?.title ?? '')
        .toLowerCase()
        .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
        .replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
        .trim()
        .replaceAll(' ', '-')
      const times = seen.get(slug) ?? 0
      seen.set(slug, times + 1)
      return times === 0 ? slug : `${slug}-${times}`
    }),
  )
}

/** The rows of a table whose first header is `header`, without their outer bars. */
export function tableRows(page: string, header: string): string[][] {
  const lines = page.split('\n')
  const head = lines.findIndex((line) => line.startsWith(`| ${header} |`))
  if (head < 0) throw new Error(`There is no table that begins with ${header}.`)
  const rows: string[][] = []
  for (const line of lines.slice(head + 2)) {
    if (!line.startsWith('|')) break
    rows.push(
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
  }
  return rows
}

function withoutFences(page: string): string {
  return page.replace(/^```[\s\S]*?^```$/gm, '')
}

function withoutCode(page: string): string {
  return withoutFences(page).replace(/`[^`\n]*`/g, '')
}
