import { describe, expect, it } from 'vitest'
import { readPastedUrl } from '../../../../src/cli/source/pasted-url.ts'
import { describeUrl } from '../../../../src/cli/url/describe-url.ts'
import { explainUrl } from '../../../../src/cli/url/explain-url.ts'
import { parseConnectionString } from '../../../../src/connection-string.ts'
import { NullpoolError } from '../../../../src/errors.ts'

const read = (text: string) => parseConnectionString(readPastedUrl(text).text)

describe('a piece of a password is no name to show', () => {
  it.for([
    'jdbc:postgresql://db.example.com:6543/app?user=bob&password=FIRST&SECONDHALF',
    'Host=db.example.com;Username=bob;Password=FIRST;SECONDHALF=x;Database=app',
    'host=db.example.com user=bob password=FIRST SECONDHALF=x dbname=app',
  ])('%s', (text) => {
    let words = ''
    expect(() => {
      try {
        readPastedUrl(text)
      } catch (error) {
        words = String(error)
        throw error
      }
    }).toThrow(NullpoolError)
    expect(words).toContain('Behind the password')
    expect(words).not.toMatch(/FIRST|SECONDHALF/)
  })

  it('nor is anything of it where the password comes last', () => {
    const text = 'host=db.example.com user=bob SECONDHALF=x password=FIRST'
    const answer = explainUrl(readPastedUrl(text), { showSecret: false, origin: {} })
    expect(describeUrl(answer, false)).not.toContain('FIRST')
  })
})

describe('a command of psql', () => {
  it.for([
    'PGPASSWORD=s3cret psql "postgres://u@h.example:6543/d"',
    'PGPASSWORD=s3cret psql postgres://u@h.example:6543/d',
    'PGPASSWORD=s3cret psql "host=h.example port=6543 user=u dbname=d"',
  ])('keeps PGPASSWORD: %s', (text) => {
    expect(read(text).revealPassword()).toBe('s3cret')
  })

  it('keeps PGSSLMODE beside a string', () => {
    expect(read('PGSSLMODE=require psql "postgres://u:p@h.example:6543/d"').sslMode).toBe('require')
  })

  it('takes options beside a string of keywords, as psql does', () => {
    const { host, user, database } = read('psql -h h.example -U u "dbname=d sslmode=require"')
    expect([host, user, database]).toEqual(['h.example', 'u', 'd'])
  })

  it.for([
    'psql -h h.example \\\n  -U u \\\n  d',
    'psql -h h.example -U u d | less',
    'psql -h h.example -U u d < dump.sql',
    'psql -h h.example -U u d > out.txt',
    'psql -h h.example -U u d && echo ok',
  ])('ends where the shell ends it: %j', (text) => {
    const { user, database } = read(text)
    expect([user, database]).toEqual(['u', 'd'])
  })
})

describe('JDBC', () => {
  it('lets sslmode go before ssl, as pgjdbc does (SslMode.of)', () => {
    const url = 'jdbc:postgresql://h.example/d?user=u&password=p&ssl=false&sslmode=require'
    expect(read(url).sslMode).toBe('require')
  })
})

describe('a repeated keyword', () => {
  it.for([
    'host=h.example user=u password=p sslmode=disable sslmode=require',
    'Host=h.example;Username=u;Password=p;SSL Mode=Disable;SslMode=Require',
  ])('counts as its last, as in libpq and .NET: %s', (text) => {
    expect(read(text).sslMode).toBe('require')
  })
})

describe('a line of code', () => {
  it.for([
    'engine = create_engine("postgresql+psycopg2://bob:pw@h.example:6543/app")',
    'create_engine("postgresql+psycopg://bob:pw@h.example:6543/app", poolclass=NullPool)',
  ])('is read or refused, and its code is no user: %s', (text) => {
    let user: string
    try {
      user = read(text).user
    } catch {
      return
    }
    expect(user).toBe('bob')
  })
})
