import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type ServedProgram, serveProgram } from '../support/served-program.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer } = inject('servers')

const FUNCTION = 'examples/supabase-functions/supabase/functions/books'

describe.skipIf(!pgbouncer)('the example for Supabase Edge Functions', () => {
  let bed: TestDatabase
  let program: ServedProgram
  let serve: (environment: Record<string, string>) => Promise<ServedProgram>
  beforeAll(async () => {
    if (!pgbouncer) return
    bed = await createTestDatabase()
    await bed.sql.unsafe(await readFile('examples/cloudflare-workers/seed.sql', 'utf8'))
    // The same names as in its import map, led to what is here.
    const { imports } = JSON.parse(await readFile(`${FUNCTION}/deno.json`, 'utf8'))
    const local: Record<string, string> = { ...imports }
    local.nullpool = pathToFileURL('dist/index.js').href
    local['nullpool/hono'] = pathToFileURL('dist/hono.js').href
    local.hono = pathToFileURL('node_modules/hono/dist/index.js').href
    local.postgres = pathToFileURL('node_modules/postgres/src/index.js').href
    const map = join(tmpdir(), `nullpool-${bed.name}.json`)
    await writeFile(map, JSON.stringify({ imports: local }))
    const options = ['--no-check', '--node-modules-dir=manual', `--import-map=${map}`]
    const allowed = ['--allow-net', '--allow-env', '--no-prompt']
    const parameters = ['run', ...allowed, ...options, `${FUNCTION}/index.ts`]
    serve = (environment) =>
      serveProgram('deno', parameters, { DENO_SERVE_ADDRESS: 'tcp:127.0.0.1:0', ...environment })
    program = await serve({ DATABASE_URL: bed.url(pgbouncer) })
  })
  afterAll(async () => {
    await program?.[Symbol.asyncDispose]()
    await bed?.[Symbol.asyncDispose]()
  })

  it('lists books, finds one, and closes its connections', async () => {
    const list = (await (await fetch(program.at(`/books`))).json()) as unknown[]
    expect(list).toHaveLength(20)
    expect(await (await fetch(program.at(`/books/1`))).json()).toMatchObject({ id: '1' })
    expect((await fetch(program.at(`/books/999999`))).status).toBe(404)
    expect((await fetch(program.at(`/books/${'9'.repeat(30)}`))).status).toBe(404)
    await expect.poll(() => bed.pooledClients()).toBe(0)
  })

  it('says once, in its log, that SUPABASE_DB_URL is the wrong one and which secret to set', async () => {
    await using unset = await serve({
      DATABASE_URL: '',
      SUPABASE_DB_URL: 'postgres://postgres:sesame@db.nowhere.invalid:5432/postgres',
    })
    for (const path of ['/books', '/books/1']) {
      expect((await fetch(unset.at(path))).ok).toBe(false)
    }
    const written = () => unset.lines.filter((line) => line.includes('supabase-db-url-is-direct'))
    await expect.poll(written).toEqual([expect.stringContaining('such as DATABASE_URL')])
    expect(unset.lines.join()).not.toContain('sesame')
  })

  it('is laid out as the Supabase CLI reads it', async () => {
    const config = await readFile('examples/supabase-functions/supabase/config.toml', 'utf8')
    const functions = [...config.matchAll(/^\[functions\.(.+)\]$/gm)].map(([, name]) => name)
    expect(functions).toEqual([basename(FUNCTION)])
    expect(dirname(FUNCTION)).toBe('examples/supabase-functions/supabase/functions')
  })

  it('names what it imports as it is published', async () => {
    const { imports } = JSON.parse(await readFile(`${FUNCTION}/deno.json`, 'utf8'))
    const { name, version, exports, peerDependencies } = JSON.parse(
      await readFile('package.json', 'utf8'),
    )
    expect(imports).toMatchObject({
      [name]: `npm:${name}@^${version}`,
      [`${name}/hono`]: `npm:${name}@^${version}/hono`,
      hono: `npm:hono@${peerDependencies.hono}`,
      postgres: `npm:postgres@${peerDependencies.postgres}`,
    })
    expect(Object.keys(exports)).toContain('./hono')
  })
})
