import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { readCommandTag } from '../../../src/drivers/text-messages.ts'
import { readSqlRequest, type SqlRequest } from '../../../src/gateway/sql-request.ts'
import { answerText, resultBody } from '../../../src/gateway/sql-result.ts'
import { asksForTls } from '../../../src/gateway/tls-request.ts'

const LIMITS = { maxMessageBytes: 1_000_000, idleTimeoutMs: 10_000, bodyTimeoutMs: 10_000 }

async function read(body: string, headers: Record<string, string> = {}): Promise<SqlRequest> {
  let request: SqlRequest | undefined
  const app = new Hono()
  app.post('/', async (c) => {
    request = await readSqlRequest(c, LIMITS)
    return c.text('')
  })
  const init = { method: 'POST', body, headers: { 'neon-connection-string': 'x', ...headers } }
  await app.request('/', init)
  if (!request) throw new Error('It was refused.')
  return request
}

describe('a request to /sql', () => {
  it('has values as text, and no number rounded', async () => {
    const params =
      '[null, "a", true, 9007199254740993, 1e2, {"n": 9007199254740993}, [1, "a\\"\\\\", null, [true], {"a": 1}]]'
    const { statements } = await read(`{"query":"select","params":${params}}`)
    expect(statements[0]?.values).toEqual([
      null,
      'a',
      'true',
      '9007199254740993',
      '1e2',
      '{"n":9007199254740993}',
      '{1,"a\\"\\\\",NULL,{true},"{\\"a\\":1}"}',
    ])
  })

  it('takes how rows are wanted from the statement, else from the header', async () => {
    const body = '{"queries":[{"query":"a"},{"query":"b","arrayMode":false}]}'
    const { statements, transaction } = await read(body, {
      'neon-array-mode': 'true',
      'neon-batch-read-only': 'true',
      'neon-batch-deferrable': 'true',
    })
    expect(statements.map(({ arrayMode }) => arrayMode)).toEqual([true, false])
    // Of a transaction that is not serializable, deferrable means nothing.
    expect(transaction).toEqual({ readOnly: true, deferrable: false })
  })
})

describe('a result of /sql', () => {
  const field = (name: string, dataTypeID: number) => ({
    ...{ name, dataTypeID, tableID: 0, columnID: 0, dataTypeSize: -1, dataTypeModifier: -1 },
  })
  const fields = [
    field('flag', 16),
    field('int', 23),
    field('big', 20),
    field('float', 701),
    field('json', 3802),
    field('list', 1007),
    field('nothing', 25),
  ]
  const row = ['t', '42', '9007199254740993', 'NaN', '{"a":9007199254740993}', '{1,NULL}', null]
  const result = { command: 'SELECT', rowCount: 1, fields, rows: [row] }

  it('stays text where that is asked for', () => {
    const body = resultBody(result, { arrayMode: true, rawText: true })
    expect(JSON.parse(body)).toMatchObject({ command: 'SELECT', rowAsArray: true, rows: [row] })
  })

  it('becomes JSON as far as JSON has something for it', () => {
    expect(resultBody(result, { arrayMode: false, rawText: false })).toContain(
      '"rows":[{"flag":true,"int":42,"big":"9007199254740993","float":"NaN","json":{"a":9007199254740993},"list":[1,null],"nothing":null}]',
    )
  })

  it('has JSON as it is, however deep, also in lists', () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000)
    const json = {
      ...result,
      fields: [field('a', 114), field('a', 3807)],
      rows: [[deep, '{"{}"}']],
    }
    const lists = resultBody(json, { arrayMode: true, rawText: false })
    expect(lists.endsWith(`"rows":[[${deep},[{}]]]}`)).toBe(true)
    const objects = resultBody(json, { arrayMode: false, rawText: false })
    expect(objects.endsWith('"rows":[{"a":[{}]}]}')).toBe(true)
  })

  it('says that it is committed, where it cannot be written', () => {
    const single = {
      ...{ connectionString: 'x', rawText: false, transaction: undefined },
      statements: [{ text: '', values: [], arrayMode: true }],
    }
    const several = { ...single, transaction: {} }
    const unreadable = { ...result, rows: undefined as unknown as [] }
    const committed = { code: 'ERR_SERVER', outcome: 'committed', retryable: false }
    expect(() => answerText(several, [unreadable])).toThrow(
      expect.objectContaining({
        ...committed,
        message: 'The gateway failed. The transaction was committed.',
      }),
    )
    expect(() => answerText(single, [unreadable])).toThrow(
      expect.objectContaining({
        ...committed,
        message: 'The gateway failed. The statement has run, and what it did is committed.',
      }),
    )
    expect(answerText(several, [])).toBe('{"results":[]}')
  })

  it.each([
    ['SELECT 3', 'SELECT', 3],
    ['INSERT 0 2', 'INSERT', 2],
    ['CREATE TABLE', 'CREATE', null],
    ['BEGIN', 'BEGIN', null],
    ['', '', null],
  ])('reads the tag %s', (tag, command, rowCount) => {
    expect(readCommandTag(tag)).toEqual({ command, rowCount })
  })
})

describe('the first bytes of a client', () => {
  const sslRequest = [0, 0, 0, 8, 4, 210, 22, 47]
  it('ask for TLS, or do not, or do not tell yet', () => {
    expect(asksForTls(new Uint8Array(sslRequest))).toBe(true)
    expect(asksForTls(new Uint8Array([22, 3, 1]))).toBe(true)
    for (let length = 0; length < sslRequest.length; length++) {
      expect(asksForTls(new Uint8Array(sslRequest.slice(0, length)))).toBeUndefined()
    }
    expect(asksForTls(new Uint8Array([0, 0, 0, 41, 0, 3]))).toBe(false)
    expect(asksForTls(new Uint8Array([0, 0, 0, 8, 4, 210, 22, 48]))).toBe(false)
  })
})
