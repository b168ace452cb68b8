import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, inject, it } from 'vitest'
import { databaseUrl } from '../support/servers.ts'

const { postgres } = inject('servers')

const PROGRAM = `
  import { createDatabase } from 'nullpool'
  await createDatabase().run({}, async ({ sql }) => {
    const [row] = await sql\`select \${1}::int as n\`
    console.log(row.n, sql.options.pass === '')
  })`

it('the driver takes nothing from libpq’s variables, which speak of another connection', async () => {
  const libpq = {
    PGHOST: 'elsewhere.invalid',
    PGPORT: '1',
    PGUSER: 'somebody',
    PGDATABASE: 'something',
    PGPASSWORD: 'of somebody',
    PGSSL: 'require',
    PGSSLNEGOTIATION: 'direct',
    PGTARGETSESSIONATTRS: 'read-only',
    PGMAX_PIPELINE: '0',
    PGDEBUG: 'true',
  }
  const env = { ...libpq, DATABASE_URL: databaseUrl(postgres, 'postgres', postgres) }
  const parameters = ['--input-type=module', '--eval', PROGRAM]
  const { stdout } = await promisify(execFile)(process.execPath, parameters, {
    env,
    timeout: 20_000,
  })
  expect(stdout).toBe('1 true\n')
})
