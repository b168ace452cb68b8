import { readFile } from 'node:fs/promises'

const TYPES = {
  'index.html': 'text/html; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'page.css': 'text/css; charset=utf-8',
} as const

/** A file of the page, as the build left it. */
export interface PageFile {
  path: string
  type: string
  content: Buffer
}

/** The page with its charts, which `build/connections-page.ts` has put beside the command line. */
export async function readPageFiles(): Promise<PageFile[]> {
  const root = import.meta.resolve('nullpool/package.json')
  return await Promise.all(
    Object.entries(TYPES).map(async ([name, type]) => ({
      path: name === 'index.html' ? '/' : `/${name}`,
      type,
      content: await readFile(new URL(`dist/cli/connections-page/${name}`, root)),
    })),
  )
}
