import { execFile } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import type { Sql } from 'postgres'
import { codeBlocks, markdownPages } from './markdown.ts'

/** A block marked `ts` on a page of the documentation. */
export interface Sample {
  /** Page and line, for people. */
  name: string
  /** The file that holds it, as a module. */
  file: string
  /** Whether it is a whole module, or the inside of a handler. */
  whole: boolean
  /** What stands behind `ts`: nothing where it is compiled only, else `run`, `run GET /path` or `run scheduled`. */
  marks: string
}

const FOLDER = resolve('.samples')

/** Modules that samples import from beside them. */
const NEIGHBOURS = { 'app.ts': 'vercel-edge/src/app.ts', 'handler.ts': 'everywhere/handler.ts' }

/** Writes every sample into a file that can be compiled and imported. Call {@link removeSamples} later. */
export async function writeSamples(): Promise<Sample[]> {
  await removeSamples()
  const samples: Sample[] = []
  for (const page of await documentedPages()) {
    const folder = `${FOLDER}/${page.replace(/\.md$/, '').replaceAll('/', '-')}`
    for (const { language, line, marks, code } of codeBlocks(await readFile(page, 'utf8'))) {
      if (language !== 'ts') continue
      const whole = /^(export|Deno\.serve)\b/m.test(code)
      const file = `${folder}/line-${line}.ts`
      await mkdir(folder, { recursive: true })
      await writeFile(file, whole ? `${code}export {}\n` : insideOfHandler(code))
      samples.push({ name: `${page}:${line}`, file, whole, marks })
    }
  }
  await writeNeighbours(samples)
  return samples
}

/** Removes what {@link writeSamples} wrote. */
export async function removeSamples(): Promise<void> {
  await rm(FOLDER, { recursive: true, force: true })
}

/** What the compiler says against the samples; nothing where all is well. */
export async function compileSamples(): Promise<string> {
  const configuration = {
    extends: '../tsconfig.json',
    include: ['**/*.ts', '../docs/samples.d.ts', '../examples/deno.d.ts'],
    exclude: [],
  }
  await writeFile(`${FOLDER}/tsconfig.json`, JSON.stringify(configuration))
  const tsc = resolve('node_modules/.bin/tsc')
  return await promisify(execFile)(tsc, ['-p', FOLDER]).then(
    () => '',
    (error: { stdout: string }) => error.stdout,
  )
}

/** The tables that samples read and write. */
export async function seedSamples(sql: Sql): Promise<void> {
  await sql.unsafe(`
    create table books (id int generated always as identity primary key, title text, author text, tags text[] default '{}');
    insert into books (title, author) values ('Emma', 'Austen'), ('Persuasion', 'Austen'), ('Ulysses', 'Joyce');
    create table items (id int primary key, price int, stock int);
    insert into items values (1, 300, 100);
    create table orders (item int, price int);
    create table sessions (id int, expires_at timestamptz);
    create table accounts (id int primary key, balance int);
    insert into accounts values (1, 100), (2, 100);
    create table notes (id int generated always as identity, owner text, note text);
    do $$ begin
      create role anon nologin; create role authenticated nologin;
    exception when duplicate_object then null; end $$;
    grant select, insert on notes, books to anon, authenticated;
  `)
}

/** Values for the names of docs/samples.d.ts, but for those of a request. */
export const sampleValues = {
  error: new Error('An error that is none of nullpool’s.'),
  author: 'Austen',
  title: 'Emma',
  id: 1,
  ids: [1, 2],
  schema: {},
  text: 'postgres://postgres.ref:secret@aws-0-eu-west-1.pooler.supabase.com:5432/postgres',
  secret: 'a secret of the documentation',
  OutOfStock: class OutOfStock extends Error {},
}

async function documentedPages(): Promise<string[]> {
  return (await markdownPages()).filter((page) => page === 'README.md' || page.startsWith('docs/'))
}

/** Imports stay outside; the rest may await and return. */
function insideOfHandler(code: string): string {
  const statement = /^import [^']*'[^']+'\n/gm
  const imports = code.match(statement)?.join('') ?? ''
  return `${imports}export async function sample(): Promise<unknown> {\n${code.replace(statement, '')}\nreturn undefined\n}\n`
}

async function writeNeighbours(samples: readonly Sample[]): Promise<void> {
  const folders = new Set(samples.map(({ file }) => resolve(file, '..')))
  for (const folder of [...folders, `${FOLDER}/src`]) {
    await mkdir(folder, { recursive: true })
    for (const [name, example] of Object.entries(NEIGHBOURS)) {
      const from = `../../examples/${example}`
      await writeFile(`${folder}/${name}`, `export { default } from '${from}'\n`)
    }
  }
}
