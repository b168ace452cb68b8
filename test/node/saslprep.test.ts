import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { createDatabase } from 'nullpool'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { prepare } from '../../src/wire/saslprep.ts'
import { databaseUrl } from '../support/servers.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { postgres } = inject('servers')

const ROLE = `saslprep_${randomBytes(4).toString('hex')}`
const NBSP = '\u00a0'

/** Half of a character, which no password has that was typed. */
const isHalf = (code: number): boolean => code >= 0xd800 && code <= 0xdfff

/** What tells the four kinds of characters apart: alone, in front of Hebrew, on both sides of a space. */
const PROBES: readonly ((character: string) => string)[] = [
  (character) => `${NBSP}${character}`,
  (character) => `\u05d0${NBSP}${character}\u05d0`,
  (character) => `${character}${NBSP}${character}`,
]

/** Each in which this package takes another decision than for the one before, and some between. */
function codePoints(): number[] {
  const found: number[] = []
  let last = ''
  for (let code = 0x80; code <= 0x10ffff; code += 1) {
    // Of the planes that are empty or private a part is enough.
    const isEmpty = code >= 0x30000 && code % 0x1_0000 >= 0x200 && code % 0x1_0000 < 0xfff0
    if (isHalf(code) || isEmpty) continue
    const character = String.fromCodePoint(code)
    const decisions = PROBES.map((probe) => prepare(probe(character)) === probe(character)).join()
    const nearLast = found.at(-1) === code - 1
    if (decisions !== last) found.push(...(nearLast ? [code] : [code - 1, code]))
    else if (code % 997 === 0) found.push(code)
    last = decisions
  }
  return found.filter((code) => !isHalf(code))
}

/** Whether a secret of the server's is that of these characters. */
function isSecretOf(secret: string, characters: string): boolean {
  const [, iterations, salt = '', stored] = secret.split(/[$:]/)
  const salted = pbkdf2Sync(
    characters,
    Buffer.from(salt, 'base64'),
    Number(iterations),
    32,
    'sha256',
  )
  const clientKey = createHmac('sha256', salted).update('Client Key').digest()
  return createHash('sha256').update(clientKey).digest('base64') === stored
}

describe('passwords, beside what Postgres makes of them', () => {
  let bed: TestDatabase
  beforeAll(async () => {
    bed = await createTestDatabase()
    await bed.sql.unsafe(`
      create role ${ROLE} login;
      create function secrets(passwords text[]) returns text[]
      language plpgsql set scram_iterations = 1 set password_encryption = 'scram-sha-256' as $$
      declare found text[]; password text; secret text;
      begin
        foreach password in array passwords loop
          execute format('alter role ${ROLE} password %L', password);
          select rolpassword into secret from pg_authid where rolname = '${ROLE}';
          found := found || secret;
        end loop;
        return found;
      end $$`)
  })
  afterAll(async () => {
    await bed.sql.unsafe(`drop role ${ROLE}`)
    await bed[Symbol.asyncDispose]()
  })

  /** Those of which the server has another secret than this package would prove. */
  async function differing(passwords: readonly string[]): Promise<string[]> {
    const found: string[] = []
    for (let at = 0; at < passwords.length; at += 200) {
      const some = passwords.slice(at, at + 200)
      const [row] = await bed.sql`select secrets(${some}) as secrets`
      found.push(...some.filter((password, n) => !isSecretOf(row?.secrets[n], prepare(password))))
    }
    return found.map((password) => JSON.stringify(password))
  }

  it('are prepared as there, for every kind of character', { timeout: 120_000 }, async () => {
    const codes = codePoints()
    expect(codes.length).toBeGreaterThan(1_800)
    const characters = codes.map((code) => String.fromCodePoint(code))
    expect(
      await differing(characters.flatMap((each) => PROBES.map((probe) => probe(each)))),
    ).toEqual([])
  })

  it('are prepared as there, whatever is put together', { timeout: 120_000 }, async () => {
    const odd = fc.constantFrom(
      ...`a1 ${NBSP}\u00ad\u200b\u05d0\u0627\u0661\u09e7ﬁ①Ⅸé e\u0301\u0345ẞ☕😀\u2028가\u1112\u1161\u11ab`,
    )
    const password = fc
      .array(fc.oneof(odd, fc.string({ unit: 'binary', minLength: 1, maxLength: 1 })), {
        minLength: 1,
        maxLength: 6,
      })
      .map((all) => all.join(''))
      .filter((text) => !/[\0\p{Cs}]/u.test(text))
    const passwords = fc.sample(password, { seed: 11, numRuns: 3_000 })
    expect(await differing(passwords)).toEqual([])
  })

  it.each(
    [
      ...['\u05d0\u00a0a', '\u05d0\u00a0\u05d0', '\u20b9\u00a0x', '\u2615\u00a0x', '\u1e9e\u00a0x'],
      ...[
        '\u2028',
        '\u200e',
        '\u2ff0',
        '\ufffc',
        '\u0340',
        '\u180e',
        '\u06dd',
        '\u2062',
        '\u2066',
      ].map((character) => `${character}\u00a0x`),
      ...['\ufff9\u00a0x', '\u00ad', '\u00a0', 'pass\u00a0wörd', '\ufb01\u00a0😀', 'tab\t\u00a0x'],
    ].map((password) => [JSON.stringify(password), password]),
  )('log in: %s', async (_shown, password) => {
    await bed.sql.unsafe(`alter role ${ROLE} password '${password}'`)
    const url = databaseUrl(postgres, bed.name, { user: ROLE, password })
    await using scope = createDatabase({ url, pooler: 'postgres' }).scope()
    expect(await scope.sql`select current_user as role`).toEqual([{ role: ROLE }])
  })
})
