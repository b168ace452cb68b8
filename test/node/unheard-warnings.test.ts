import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const run = promisify(execFile)

const DATABASE = new URL('../../dist/index.js', import.meta.url).href
const POOL = new URL('../../dist/stationary.js', import.meta.url).href

/** What a process writes that asks twice, of a server that nobody runs. */
async function written(source: string): Promise<string> {
  const code = `
    const { createDatabase } = await import(${JSON.stringify(DATABASE)})
    const { createPool } = await import(${JSON.stringify(POOL)})
    const asks = (one) => one.run({}, (scope) => scope.sql\`select 1\`).catch(() => undefined)
    ${source}`
  const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', code], {
    env: {
      ...{ ...process.env, DATABASE_URL: '', POSTGRES_URL: '' },
      SUPABASE_DB_URL: 'postgres://postgres:sesame@db.nowhere.invalid:5432/postgres',
    },
  })
  return stdout + stderr
}

it.each([
  ['requests', 'const database = createDatabase(); await asks(database); await asks(database)'],
  ['pools', 'for (const pool of [createPool(), createPool()]) await asks(pool)'],
])(
  '%s say once that SUPABASE_DB_URL is the wrong one and which secret to set',
  async (_, source) => {
    const text = await written(source)
    expect(text.match(/supabase-db-url-is-direct/g)).toHaveLength(1)
    expect(text).toContain('such as DATABASE_URL')
    expect(text).not.toContain('sesame')
  },
)

it('a listener hears it instead', async () => {
  const text = await written(`
    const heard = []
    await asks(createDatabase({ onEvent: ({ code }) => heard.push(code) }))
    console.log(heard.includes('supabase-db-url-is-direct'))`)
  expect(text).toBe('true\n')
})
