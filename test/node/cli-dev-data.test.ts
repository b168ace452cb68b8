import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createDatabase } from 'nullpool'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { DevBed } from '../support/dev-program.ts'
import { connected } from '../support/local-machine.ts'
import { claimsOf, userId } from '../support/supabase-schema.ts'

let bed: DevBed
beforeAll(async () => {
  bed = await DevBed.make()
})
afterAll(() => bed.remove())

async function files(folder: string, texts: Readonly<Record<string, string>>): Promise<string> {
  const path = join(bed.folder, folder)
  await mkdir(path, { recursive: true })
  for (const [name, text] of Object.entries(texts)) await writeFile(join(path, name), text)
  return path
}

describe('nullpool dev --migrations --sql --data', () => {
  it('runs each file once, in order, as the application', async () => {
    const migrations = await files('first', {
      '0002_year.sql': 'alter table books add year int;',
      '0001_books.sql': 'create table books (title text); set search_path = nowhere; -- the end',
      'README.md': 'no SQL',
    })
    const seeds = await files('seeds', { 'seed.sql': "insert into books values ('Emma', 1815)" })
    const parts = [
      ...['--migrations', migrations, '--sql', join(seeds, 'seed.sql')],
      ...['--data', join(bed.folder, 'data')],
    ]
    await bed.whileUp(parts, async ({ url }, program) => {
      const ran = program.errors.filter((line) => line.startsWith('Ran '))
      expect(ran).toEqual(['Ran 0001_books.sql.', 'Ran 0002_year.sql.', 'Ran seed.sql.'])
      await connected(url, async (sql) => {
        await sql`insert into books values ('Persuasion', 1817)`
        const [row] = await sql`select tableowner from pg_tables where tablename = 'books'`
        expect(row).toEqual({ tableowner: 'app' })
      })
    })
    await writeFile(join(migrations, '0002_year.sql'), 'alter table books add year bigint;')
    await writeFile(join(migrations, '0003_author.sql'), 'alter table books add author text')
    await bed.whileUp(parts, async ({ url }, program) => {
      const said = program.errors.filter((line) => line.includes('.sql'))
      expect(said).toEqual([
        '0002_year.sql has changed since it ran here. It is not run again.',
        'Ran 0003_author.sql.',
      ])
      const rows = await connected(url, (sql) => sql`select * from books order by title`)
      expect(rows).toEqual([
        { title: 'Emma', year: 1815, author: null },
        { title: 'Persuasion', year: 1817, author: null },
      ])
    })
  })

  it('survives a crash of the machine where the data is kept, and hurries where it is not', async () => {
    const fsync = async (url: string) => await connected(url, (sql) => sql`show fsync`)
    await bed.whileUp(['--data', join(bed.folder, 'durable')], async ({ directUrl }) => {
      expect(await fsync(directUrl)).toEqual([{ fsync: 'on' }])
    })
    await bed.whileUp([], async ({ directUrl }) => {
      expect(await fsync(directUrl)).toEqual([{ fsync: 'off' }])
    })
  })

  it('says of a folder in which another start makes its database that it does', async () => {
    // As initdb begins.
    const data = join(bed.folder, 'unfinished')
    await mkdir(join(data, 'pg_wal'), { recursive: true })
    await using program = bed.dev(['--data', data])
    expect(await program.exitCode).toBe(2)
    expect(program.errors.at(-1)).toContain('another start is making it now')
    await bed.assertNothingLeft()
  })

  it.for([
    ['select 1;\n\nselect  x\n  from nothing;', ', line 4: relation "nothing" does not exist'],
    ['begin; create table half (id int);', 'leaves something open behind its end'],
    ['create table t (id int);\ncopy t from stdin;\n1\n\\.\n', 'COPY … FROM stdin'],
  ] as const)('names the file and the line that fails: %j', async ([text, words]) => {
    const folder = await files('broken', { '0001.sql': 'select 1', '0002.sql': text })
    await using program = bed.dev(['--migrations', folder])
    expect(await program.exitCode).toBe(2)
    expect(program.errors.at(-1)).toContain(join(folder, '0002.sql'))
    expect(program.errors.at(-1)).toContain(words)
    expect(program.errors).toContain('Ran 0001.sql.')
    await bed.assertNothingLeft()
  })
})

describe('nullpool dev --tls', () => {
  it('is verified by who trusts its authority, and refused by others; the authority stays', async () => {
    const authorities: string[] = []
    for (const _ of [1, 2]) {
      await bed.whileUp(['--tls'], async ({ url, directUrl, caFile }) => {
        expect(url).toContain('sslmode=verify-full')
        const ca = await readFile(caFile ?? '', 'utf8')
        authorities.push(ca)
        for (const address of [url, directUrl]) {
          const rows = await connected(address, (sql) => sql`select 1 as one`, { ssl: { ca } })
          expect(rows).toEqual([{ one: 1 }])
          const others = { ssl: { ca: inject('servers').otherCa } }
          await expect(connected(address, (sql) => sql`select 1`, others)).rejects.toMatchObject({
            code: expect.stringMatching(/UNABLE_TO_VERIFY|SELF_SIGNED/),
          })
        }
        const database = createDatabase({ url, tls: { ca } })
        expect(await database.run({}, ({ sql }) => sql`select 1 as one`)).toEqual([{ one: 1 }])
        expect((await stat(join(caFile ?? '', '../server.key'))).mode & 0o077).toBe(0)
      })
    }
    expect(authorities[0]).toMatch(/BEGIN CERTIFICATE/)
    expect(authorities[1]).toBe(authorities[0])
  })

  it('tells a command of Node whom to trust', async () => {
    const driver = join(process.cwd(), 'node_modules/postgres/src/index.js')
    const script = `
      const { default: postgres } = await import(${JSON.stringify(driver)})
      const [row] = await postgres(process.env.DATABASE_URL, { ssl: 'verify-full', prepare: false })\`select 1 as one\`
      console.log(row.one); process.exit()`
    const node = [process.execPath, '--input-type=module', '-e', script]
    await using program = bed.dev(['--tls', '--', ...node])
    expect(await program.exitCode).toBe(0)
    expect(program.lines).toEqual(['1'])
  })
})

describe('nullpool dev --supabase', () => {
  it('has the roles and functions that policies are made of', async () => {
    const schema = await readFile('examples/supabase-rls/schema.sql', 'utf8')
    const more = `
      create table profiles (id uuid primary key references auth.users on delete cascade);
      create extension citext schema extensions;
      create table names (name citext)`
    const migrations = await files('supabase', { '1.sql': schema, '2.sql': more })
    const data = ['--data', join(bed.folder, 'supabase-data')]
    // Twice, because what is there already is not made again.
    for (const notes of [1, 2]) {
      await bed.whileUp(
        ['--supabase', '--migrations', migrations, ...data],
        async ({ url, authenticatorUrl }) => {
          for (const address of [url, authenticatorUrl ?? '']) {
            const database = createDatabase({ url: address })
            await database.run({}, async (scope) => {
              const [row] = await scope.as(claimsOf(1)).sql`
                select current_user::text as role, auth.uid(), auth.role() as claimed,
                  auth.email()`
              expect(row).toEqual({
                role: 'authenticated',
                uid: userId(1),
                claimed: 'authenticated',
                email: 'user1@example.com',
              })
            })
          }
          const database = createDatabase({ url: authenticatorUrl ?? '' })
          await database.run({}, async (scope) => {
            const [one, two] = [scope.as(claimsOf(1)).sql, scope.as(claimsOf(2)).sql]
            await one`insert into notes (body) values ('mine')`
            expect(await one`select body from notes`).toHaveLength(notes)
            expect(await two`select body from notes`).toEqual([])
            expect(await scope.as({ role: 'anon' }).sql`select body from notes`).toEqual([])
            // Granted to nobody, as on Supabase.
            await expect(one`select * from profiles`).rejects.toMatchObject({ code: '42501' })
            // Itself it is nothing.
            await expect(scope.sql`select * from notes`).rejects.toMatchObject({ code: '42501' })
          })
        },
      )
    }
  })
})
