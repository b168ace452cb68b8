import { copyFile, cp, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, inject, it } from 'vitest'
import { connected, makeFolder } from '../support/local-machine.ts'
import { runNullpool } from '../support/run-nullpool.ts'
import { databaseUrl } from '../support/servers.ts'
import { NULLPOOL } from '../support/started-program.ts'

const { postgres } = inject('servers')
const REF = 'abcdefghijklmnopqrst'
const SHARED = `postgres://postgres.${REF}:s3cret@aws-0-eu-west-1.pooler.supabase.com`

async function url(...parts: string[]) {
  return await runNullpool(['url', ...parts])
}

describe('nullpool url', () => {
  it('explains a connection string, and shows no password', async () => {
    const { code, output, errors } = await url(`${SHARED}:5432/postgres?pgbouncer=true`)
    expect({ code, errors }).toEqual({ code: 0, errors: '' })
    expect(output).toContain('aws-0-eu-west-1.pooler.supabase.com (Supabase, shared pooler)')
    expect(output).toMatch(/^Mode +session/m)
    expect(output).toMatch(/^warning session-port: .*\n {2}Change the port to 6543\.$/m)
    expect(output).toMatch(/^Left out +pgbouncer$/m)
    expect(output).not.toContain('s3cret')
    expect(output).toContain(`postgres.${REF}:***@`)
  })

  it('is one document with --json', async () => {
    const { code, output, errors } = await url(`${SHARED}:6543/postgres`, '--json')
    expect({ code, errors }).toEqual({ code: 0, errors: '' })
    expect(JSON.parse(output)).toEqual({
      writtenAs: null,
      provider: 'supabase-shared',
      mode: 'transaction',
      host: 'aws-0-eu-west-1.pooler.supabase.com',
      port: 6543,
      user: `postgres.${REF}`,
      database: 'postgres',
      projectRef: REF,
      hasPassword: true,
      ignored: [],
      findings: [],
      forms: {
        string: expect.stringContaining(':***@'),
        workers: expect.stringContaining('npx wrangler secret put DATABASE_URL'),
        supabase: expect.stringMatching(/^supabase secrets set 'DATABASE_URL=postgresql:.*'$/),
        vercel: expect.stringContaining('vercel env add DATABASE_URL production'),
        sqlalchemy: expect.stringMatching(
          /NullPool[\s\S]*"prepare_threshold": None[\s\S]*statement_cache/,
        ),
        psql: expect.stringMatching(/^psql 'postgresql:\/\/postgres\.[a-z]+@/),
      },
    })
  })

  const neon = 'postgres://u:s3cret@ep-cool-1.eu-central-1.aws.neon.tech/db'
  const pooledNeon = neon.replace('ep-cool-1', 'ep-cool-1-pooler')
  it.for([
    [
      `${SHARED}:5432/postgres`,
      'transaction',
      `postgres.${REF}:***@aws-0-eu-west-1.pooler.supabase.com:6543/postgres`,
    ],
    [
      `${SHARED}:6543/postgres`,
      'session',
      `postgres.${REF}:***@aws-0-eu-west-1.pooler.supabase.com:5432/postgres`,
    ],
    [`${SHARED}:6543/postgres`, 'direct', `postgres:***@db.${REF}.supabase.co:5432/postgres`],
    [
      `postgres://postgres:s3cret@db.${REF}.supabase.co:6543/postgres`,
      'direct',
      `postgres:***@db.${REF}.supabase.co:5432/postgres`,
    ],
    [neon, 'transaction', 'u:***@ep-cool-1-pooler.eu-central-1.aws.neon.tech:5432/db'],
    [pooledNeon, 'direct', 'u:***@ep-cool-1.eu-central-1.aws.neon.tech:5432/db'],
    [pooledNeon, 'transaction', 'u:***@ep-cool-1-pooler.eu-central-1.aws.neon.tech:5432/db'],
  ] as const)('%s --to %s', async ([given, mode, wanted]) => {
    const { code, output } = await url(given, '--to', mode, '--print', 'string')
    expect({ code, output }).toEqual({ code: 0, output: `postgresql://${wanted}\n` })
  })

  it.for([
    [
      `postgres://postgres:s3cret@db.${REF}.supabase.co:5432/postgres`,
      'transaction',
      'copy it from the dashboard',
    ],
    [
      `postgres://postgres:s3cret@db.${REF}.supabase.co:6543/postgres`,
      'session',
      'copy it from the dashboard',
    ],
    [pooledNeon, 'session', 'take --to direct'],
    ['postgres://u:s3cret@db.example.com:6543/db', 'direct', 'knows who runs it'],
  ] as const)('%s has no known --to %s, and says where to look', async ([given, mode, words]) => {
    const { code, output, errors } = await url(given, '--to', mode)
    expect({ code, output }).toEqual({ code: 2, output: '' })
    expect(errors).toContain(words)
    expect(errors).not.toContain('s3cret')
  })

  it('percent-encodes a password from the standard input, so that the server takes it', async () => {
    const password = `p@ss/w:ö?#[]%'"$! \\x`
    const admin = databaseUrl(postgres, 'postgres', postgres)
    const role = `url_test_${process.pid}`
    await connected(admin, async (sql) => {
      const [row] = await sql`
        select format('create role %I login password %L', ${role}::text, ${password}::text) as text`
      await sql.unsafe(row?.text)
    })
    try {
      const given = `postgres://${role}:[YOUR-PASSWORD]@${postgres.host}:${postgres.port}/postgres`
      const parts = ['url', given, '--password-stdin', '--print', 'string', '--show-secret']
      const { code, output } = await runNullpool(parts, { input: `${password}\n` })
      expect(code).toBe(0)
      expect(output).toMatch(/^[\w:/.@%-]+\n$/)
      const rows = await connected(output.trim(), (sql) => sql`select current_user::text as name`)
      expect(rows).toEqual([{ name: role }])
    } finally {
      await connected(admin, (sql) => sql`drop role ${sql(role)}`)
    }
  })

  it.for([
    ['p@ss\n', 'p%40ss'],
    ['p@ss\r\n\n', 'p%40ss'],
    ['p@ss', 'p%40ss'],
  ] as const)('takes the first line for the password: %j', async ([input, written]) => {
    const parts = [...['url', 'postgres://u@h.example:6543/d', '--password-stdin'], '--show-secret']
    const { code, output } = await runNullpool([...parts, '--print', 'string'], { input })
    expect({ code, output }).toEqual({
      code: 0,
      output: `postgresql://u:${written}@h.example:6543/d\n`,
    })
  })

  it('refuses a second line of the standard input, which would be encoded with its break', async () => {
    const parts = ['url', 'postgres://u@h.example:6543/d', '--password-stdin']
    const { code, output, errors } = await runNullpool(parts, { input: 's3cret\nand more\n' })
    expect({ code, output }).toEqual({ code: 2, output: '' })
    expect(errors).toContain('--password-stdin takes the password alone')
    expect(errors).not.toContain('s3cret')
  })

  it('reads the string from the standard input, or from the environment', async () => {
    const fromInput = await runNullpool(['url', '-', '--print', 'string'], {
      input: `${SHARED}:6543`,
    })
    const environment = { SUPABASE_DB_URL: 'postgres://u:s3cret@database.internal:5432/db' }
    const fromEnvironment = await runNullpool(['url', '--json'], { environment })
    expect(fromInput.output).toContain(`postgres.${REF}:***@`)
    expect(JSON.parse(fromEnvironment.output).findings).toContainEqual(
      expect.objectContaining({ code: 'supabase-db-url-is-direct' }),
    )
  })

  it('reads what other tools write, and says what it was taken for', async () => {
    const jdbc = 'jdbc:postgresql://h.example:6543/d?user=u&password=s3cret'
    const words = await url(jdbc)
    expect(words).toMatchObject({ code: 0, errors: '' })
    expect(words.output).toMatch(/^Given as +a JDBC URL\n/)
    const written = 'postgresql://u:***@h.example:6543/d'
    for (const [text, form, given] of [
      [jdbc, 'jdbc', 'a JDBC URL'],
      ['postgresql+psycopg://u:s3cret@h.example:6543/d', 'dialect', 'a URL of a tool'],
      ['host=h.example port=6543 user=u password=s3cret dbname=d', 'keywords', 'keywords of libpq'],
      ['u:s3cret@h.example:6543/d', 'bare', 'a URL without its postgres://'],
    ] as const) {
      const { code, output, errors } = await url(text, '--print', 'string')
      expect({ code, output }).toEqual({ code: 0, output: `${written}\n` })
      expect(errors).toContain(`The connection string is ${given}`)
      expect(JSON.parse((await url(text, '--json')).output).writtenAs).toBe(form)
    }
  })

  it.for([
    ['.dev.vars', 'DATABASE_URL'],
    ['.env', 'POSTGRES_URL'],
  ] as const)('takes the string of %s, and says so', async ([file, variable]) => {
    const folder = await makeFolder()
    await writeFile(join(folder, file), `${variable}="${SHARED}:6543/postgres"\n`)
    const { code, output, errors } = await runNullpool(['url', '--print', 'string'], {
      cwd: folder,
    })
    expect({ code, errors }).toEqual({
      code: 0,
      errors: `The connection string is ${variable} of ${file}.\n`,
    })
    expect(output).toContain(`postgres.${REF}:***@`)
  })

  it('ends with 2 for what cannot work, and never quotes it', async () => {
    const placeholder = await url(SHARED.replace('s3cret', '[YOUR-PASSWORD]'), '--print', 'string')
    expect(placeholder.code).toBe(2)
    expect(placeholder.errors).toContain('error placeholder-password')
    for (const text of ['s3cret', 'mysql://u:s3cret@host/db', 'postgres://u:s3cret@']) {
      const { code, output, errors } = await url(text)
      expect({ code, output }).toEqual({ code: 2, output: '' })
      expect(errors).toMatch(/^nullpool: .+\.\n$/)
      expect(errors).not.toContain('s3cret')
    }
    const none = await url()
    expect(none).toMatchObject({ code: 2, errors: expect.stringContaining('DATABASE_URL') })
    const empty = await url('')
    expect(empty).toMatchObject({ code: 2, errors: expect.stringContaining('is empty.') })
  })

  it('has no colours in a pipe, and has them where they are forced', async () => {
    const plain = await url(`${SHARED}:5432`)
    const forced = await runNullpool(['url', `${SHARED}:5432`], {
      environment: { FORCE_COLOR: '1' },
    })
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what colours are made of
    const colour = /\u001b\[/
    expect(plain.output).not.toMatch(colour)
    expect(forced.output).toMatch(colour)
  })

  it('does without the driver, and without this repository', async () => {
    const folder = await makeFolder()
    const file = join(folder, 'dist/cli/nullpool.js')
    await cp(dirname(NULLPOOL), dirname(file), { recursive: true })
    await copyFile('package.json', join(folder, 'package.json'))
    const alone = { file, cwd: folder }
    expect(await runNullpool(['url', `${SHARED}:6543`, '--json'], alone)).toMatchObject({ code: 0 })
    const asking = await runNullpool(['pool-size', `${SHARED}:6543`], alone)
    expect(asking.code).toBe(2)
    expect(asking.errors).toContain('npm install postgres')
  })
})
