import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { postgres } = inject('servers')
const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
/** The oldest that is taken reads TypeScript when told to; others take no notice. */
const NODE_22 = { NODE_OPTIONS: '--experimental-strip-types --no-warnings' }

const program = 'test/support/stationary-program.ts'

describe('a pool and a request of its own', () => {
  let bed: TestDatabase
  beforeAll(async () => {
    bed = await createTestDatabase()
  })
  afterAll(() => bed[Symbol.asyncDispose]())

  it.each([
    ['Node 24', 'node_modules/.bin/node', /^v24\./],
    ['Node 22', 'test/node22/node_modules/.bin/node', /^v22\./],
    ['Bun', 'node_modules/.bin/bun', /^1\./],
  ])('work in %s, and let its process end by itself', async (_name, runtime, version) => {
    expect((await run(runtime, ['--version'], { cwd: root })).stdout).toMatch(version)
    const { stdout } = await run(runtime, [program], {
      cwd: root,
      env: { ...process.env, ...NODE_22, DATABASE_URL: bed.url(postgres) },
      timeout: 20_000,
    })
    expect(JSON.parse(stdout)).toEqual({
      found: Array.from({ length: 20 }, (_, n) => n),
      moved: 3,
      one: { one: 1 },
      two: { two: 'two' },
      claimed: { role: 'pg_read_all_data' },
      stats: { size: 2, idle: 2, overflow: 0, waiting: 0 },
      request: { who: 'request' },
    })
    await expect
      .poll(async () => {
        const [row] = await bed.sql`
          select count(*)::int as n from pg_stat_activity
          where datname = ${bed.name} and application_name = 'nullpool'`
        return row?.n
      })
      .toBe(0)
  })

  it('is refused on Supabase Edge Functions, with what to use instead', async () => {
    const code = `
      globalThis.EdgeRuntime = { waitUntil() {} }
      const { createPool } = await import('./dist/stationary.js')
      try { createPool() } catch (error) { console.log(error.code + ': ' + error.message) }`
    const { stdout } = await run('deno', ['eval', '--node-modules-dir=manual', code], { cwd: root })
    expect(stdout).toMatch(/^ERR_RUNTIME_UNSUPPORTED: .*\(deno\).*createDatabase\(\)/)
  })

  it('works in Deno on a server', async () => {
    const args = [
      'run',
      '-A',
      '--no-check',
      '--node-modules-dir=manual',
      '--import-map=test/deno/import-map.json',
    ]
    const { stdout } = await run('deno', [...args, program], {
      cwd: root,
      env: { ...process.env, DATABASE_URL: bed.url(postgres) },
    })
    expect(JSON.parse(stdout)).toMatchObject({ moved: 3, request: { who: 'request' } })
  })
})
