import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readPastedUrl } from '../../../../src/cli/source/pasted-url.ts'
import { parseConnectionString } from '../../../../src/connection-string.ts'
import { NullpoolError } from '../../../../src/errors.ts'

const PLAIN = 'postgresql://u:s3cret@h.example:6543/d'

/** What is read, in one line; the password too, because that is what must not be misread. */
function read(text: string): string {
  const pasted = readPastedUrl(text)
  const { user, host, port, database, sslMode, ...target } = parseConnectionString(pasted.text)
  const password = parseConnectionString(pasted.text).revealPassword()
  const more = [sslMode, ...target.ignored].filter((one) => one !== undefined).join(' ')
  return `${pasted.form ?? 'url'}: ${user} ${password} ${host} ${port} ${database} ${more}`.trim()
}

describe('a text as it was pasted', () => {
  const all = 'u s3cret h.example 6543 d'

  it.for([
    [PLAIN, `url: ${all}`],
    [` "${PLAIN}" `, `url: ${all}`],
    [`DATABASE_URL="${PLAIN}"`, `url: ${all}`],
    [`export DATABASE_URL='${PLAIN}'; `, `url: ${all}`],
    [`psql ${PLAIN}`, `url: ${all}`],
    [`psql "${PLAIN}"`, `url: ${all}`],
    [`psql "${PLAIN}" -c 'select 1'`, `psql: ${all}`],
    [`psql -X -d ${PLAIN}`, `psql: ${all}`],
    [`postgresql+psycopg://${PLAIN.slice(13)}`, `dialect: ${all}`],
    [`postgresql+psycopg2://${PLAIN.slice(13)}`, `dialect: ${all}`],
    [`postgres+pg8000://${PLAIN.slice(13)}`, `dialect: ${all}`],
    [`postgis://${PLAIN.slice(13)}`, `dialect: ${all}`],
    [
      `DATABASE_URL="postgresql+asyncpg://${PLAIN.slice(13)}?ssl=require"`,
      `dialect: ${all} require`,
    ],
    ['jdbc:postgresql://h.example:6543/d?user=u&password=s3cret', `jdbc: ${all}`],
    [
      'url=jdbc:postgresql://h.example:6543/d?password=s3cret&user=u&ssl=true',
      `jdbc: ${all} verify-full`,
    ],
    [`jdbc:${PLAIN}`, `jdbc: ${all}`],
    ['jdbc:postgresql:d?user=u&password=s3cret', 'jdbc: u s3cret localhost 5432 d'],
    [
      'jdbc:postgresql://h.example/d?user=u&password=a%40b%2Bc&prepareThreshold=0',
      'jdbc: u a@b+c h.example 5432 d prepareThreshold',
    ],
    ['jdbc:postgresql://[::1]:6543/d?user=u&password=p', 'jdbc: u p ::1 6543 d'],
    ['host=h.example port=6543 user=u password=s3cret dbname=d', `keywords: ${all}`],
    ['DATABASE_URL="host=h.example port=6543 user=u password=s3cret dbname=d"', `keywords: ${all}`],
    ['user=u\npassword=s3cret\nhost=h.example\nport=6543\ndbname=d\n', `keywords: ${all}`],
    [
      "host = h.example user=u password='a b\\'c\\\\d@/?' sslmode=require",
      "keywords: u a b'c\\d@/? h.example 5432 u require",
    ],
    ['hostaddr=10.0.0.1 host=h.example user=u', 'keywords: u  h.example 5432 u'],
    ['hostaddr=::1 user=u password=a;b', 'keywords: u a;b ::1 5432 u'],
    ['User Id=u;Password=s3cret;Server=h.example;Port=6543;Database=d', `dotnet: ${all}`],
    [
      '"DefaultConnection": "Host=h.example;Port=6543;Username=u;Password=s3cret;Database=d;SSL Mode=VerifyFull;"',
      `dotnet: ${all} verify-full`,
    ],
    ['Host=h.example;Username=u;Password="a;b""c";Database=d', 'dotnet: u a;b"c h.example 5432 d'],
    ['psql -h h.example -p 6543 -d d -U u', 'psql: u  h.example 6543 d'],
    [`PGPASSWORD='s3cret' psql --host=h.example -p6543 -c 'select 1' d u`, `psql: ${all}`],
    ["psql 'host=h.example port=6543 user=u password=s3cret dbname=d'", `psql: ${all}`],
    ['u:s3cret@h.example:6543/d', `bare: ${all}`],
    ['//u:s3cret@h.example:6543/d', `bare: ${all}`],
    ['DATABASE_URL=u:s3cret@h.example:6543/d', `bare: ${all}`],
    ['postgres:postgres@localhost/d', 'bare: postgres postgres localhost 5432 d'],
    ['u:p@ss:w=rd@h.example/d', 'bare: u p@ss:w=rd h.example 5432 d'],
    ['user:"quoted@h.example/d', 'bare: user "quoted h.example 5432 d'],
    ['user: s3cret@h.example/d', undefined],
    ['u@h.example/d', 'bare: u  h.example 5432 d'],
  ] as const)('%j', ([text, wanted]) => {
    if (wanted === undefined) expect(() => read(text)).toThrow(NullpoolError)
    else expect(read(text)).toBe(wanted)
  })

  it.for([
    ['', 'is empty. Is the variable set in this shell?'],
    [' \n', 'is empty.'],
    ['host=h.example password=s3cret', 'names no user. Write it: host='],
    ['user=u password=s3cret', 'names no host.'],
    ['host=h.example user=u password=s3cret two words', "password='two words'"],
    ["host=h.example user=u password='s3cret", 'single quotes'],
    ['Host=h.example;Username=u;Password="s3cret', 'double quotes'],
    ['jdbc:postgresql://h.example/d', 'names no user. Write it: jdbc:postgresql://'],
    ['jdbc:mysql://h.example/d?user=u&password=s3cret', 'another database'],
    ['jdbc:postgresql://one,two/d?user=u&password=s3cret', 'several hosts'],
    ['host=one,two port=1,2 user=u password=s3cret', 'several hosts'],
    ['host=/var/run/postgresql user=u password=s3cret', 'Unix socket'],
    ['host=h.example port=abc user=u password=s3cret', 'The port is not a number'],
    ['psql -d d', 'names no host.'],
    ['mysql://u:s3cret@h.example/d', 'another kind of database'],
    ['mongodb+srv://u:s3cret@h.example/d', 'another kind of database'],
    ['prisma+postgres://accelerate.prisma-data.net/?api_key=s3cret', 'Prisma’s proxy'],
    ['postgres:/u:s3cret@h.example/d', 'lacks a colon or a slash'],
    ['postgresql//u:s3cret@h.example/d', 'lacks a colon or a slash'],
    ['$DATABASE_URL', 'the name of a variable'],
    ['$\u007bPOSTGRES_URL}', 'the name of a variable'],
    ['DATABASE_URL', 'the name of a variable'],
    ['%DATABASE_URL%', 'the name of a variable'],
    ['s3cret', 'does not begin with postgres://'],
    ['s3cret@mail.example', 'does not begin with postgres://'],
    ['postgres://u:s3cret\n@h.example/d', 'a line break'],
  ] as const)('%j is refused, and not quoted', ([text, words]) => {
    let failure: unknown
    try {
      read(text)
    } catch (error) {
      failure = error
    }
    expect(failure).toMatchObject({ code: 'ERR_URL_INVALID' })
    expect(`${failure}`).toContain(words)
    expect(`${failure}`).not.toContain('s3cret')
  })
})

describe('a password of any characters', () => {
  const password = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 40 })
    .filter((text) => !/[\p{Surrogate}\0]/u.test(text))
  const revealed = (text: string) =>
    parseConnectionString(readPastedUrl(text).text).revealPassword()

  it('comes through each form that can hold it', () => {
    fc.assert(
      fc.property(password, (secret) => {
        const quoted = secret.replace(/['\\]/g, '\\$&')
        expect(revealed(`host=h.example password='${quoted}' user=u`)).toBe(secret)
        const doubled = secret.replaceAll('"', '""')
        expect(revealed(`Host=h.example;Password="${doubled}";Username=u`)).toBe(secret)
        const query = new URLSearchParams({ user: 'u', password: secret })
        expect(revealed(`jdbc:postgresql://h.example/d?${query}`)).toBe(secret)
        const encoded = encodeURIComponent(secret)
        expect(revealed(`postgresql+psycopg://u:${encoded}@h.example/d`)).toBe(secret)
      }),
    )
  })

  it('is in no error, and every text is read or refused', () => {
    const around = fc.constantFrom(
      ...[
        '',
        'host=h user=',
        "host=h password='",
        'Host=h;Password=',
        'jdbc:postgresql://',
        'psql -h ',
      ],
      ...['u:', 'u:p@', 'postgres://u:', 'postgresql+x://u:', 'DATABASE_URL="', 'PGPASSWORD='],
    )
    fc.assert(
      fc.property(around, password, around, (before, text, after) => {
        const secret = 's3cret'
        try {
          revealed(`${before}${secret}${text}${after}`)
        } catch (error) {
          expect(NullpoolError.is(error)).toBe(true)
          expect(`${error}`).not.toContain(secret)
        }
      }),
      { numRuns: 2_000 },
    )
  })
})
