import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isMeantForUs, readListenAddress } from '../../../../src/cli/connections/listen-address.ts'
import { readPrometheusText } from '../../../../src/cli/connections/prometheus-text.ts'
import { statementShape } from '../../../../src/cli/connections/statement-shape.ts'
import { plainText } from '../../../../src/cli/plain-text.ts'

describe('statementShape', () => {
  it.each([
    ["select * from books where isbn = '978'", 'select * from books where isbn = ?'],
    ['select 12.5, 1e10, 0xFF, -3', 'select ?, ?, ?, -?'],
    ['select $1, $12 from t2 limit 10', 'select $1, $12 from t2 limit ?'],
    ["select E'it\\'s', $$all$$, $tag$of it$tag$", 'select ?, ?, ?'],
    ['select 1 -- a remark\n, 2 /* another /* one */ */', 'select ?  , ?'],
    ['select "a column" from "T"', 'select "a column" from "T"'],
    // Cut off in the middle, as pg_stat_activity does.
    ["update users set password = 'hunt", 'update users set password = ?'],
    ['select 1 /* hunt', 'select ? ?'],
  ])('%s', (query, shape) => {
    expect(statementShape(query)).toBe(shape)
  })

  it('shows no literal, whatever is around it', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(), (text, number) => {
        const secret = `S3CRET${text.replaceAll("'", "''")}`
        const shape = statementShape(`select '${secret}', ${number + 1_000_000} from t`)
        return !shape.includes('S3CRET') && !shape.includes(`${number + 1_000_000}`)
      }),
    )
  })
})

describe('plainText', () => {
  it('is one line that no terminal obeys', () => {
    expect(plainText('a\x1b[2Jb\r\n\x07\u202ec\u009b')).toBe('a·[2Jb···\u00b7c·')
    expect(plainText('x'.repeat(1000))).toHaveLength(64)
    expect(plainText(null)).toBe('')
    expect(plainText('Zoë 名前')).toBe('Zoë 名前')
  })
})

describe('readListenAddress', () => {
  it.each([
    ['9399', '127.0.0.1', 9399],
    [':9399', '127.0.0.1', 9399],
    ['0.0.0.0:9399', '0.0.0.0', 9399],
    ['[::1]:0', '::1', 0],
  ])('%s', (text, host, port) => {
    expect(readListenAddress(text)).toEqual({ host, port })
  })

  it.each(['', 'x', '70000', 'localhost:1', '1.2.3:4', '-1', '::1:80'])('refuses %j', (text) => {
    expect(() => readListenAddress(text)).toThrow('A place to listen at')
  })
})

describe('isMeantForUs', () => {
  const here = { host: '127.0.0.1', port: 8080 }

  it.each(['127.0.0.1:8080', 'localhost:8080', '[::1]:8080'])('%s is', (host) => {
    expect(isMeantForUs(host, here)).toBe(true)
  })

  it.each([
    undefined,
    '',
    'localhost',
    'localhost:80',
    'localhost:8080.evil',
    'evil:8080',
    '127.1:8080',
  ])('%s is not', (host) => {
    expect(isMeantForUs(host, here)).toBe(false)
  })
})

describe('readPrometheusText', () => {
  it('reads names, labels with escapes, and values', () => {
    const text = '# TYPE a gauge\na{b="c\\"d\\\\e",f="g"} 1.5e3 1395066363000\nh +Inf\nlast 2'
    expect(readPrometheusText(text)).toEqual([
      { name: 'a', labels: { b: 'c"d\\e', f: 'g' }, value: 1500 },
      { name: 'h', labels: {}, value: Number.NaN },
      { name: 'last', labels: {}, value: 2 },
    ])
  })

  it('refuses what is none of that format', () => {
    expect(() => readPrometheusText('<html><body>Sign in</body></html>')).toThrow()
  })
})
