import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { postgresDriver } from '../../src/drivers/postgres.ts'
import { NullpoolError, ServerError } from '../../src/errors.ts'
import { Front } from '../../src/wire/front.ts'
import { TransportError } from '../../src/wire/transport.ts'
import { MemoryDriver, type MemoryWire, memoryWire, PASSWORD } from '../support/memory-driver.ts'
import { type MemoryPeer, rest } from '../support/memory-server.ts'
import * as server from '../support/server-messages.ts'
import * as client from '../support/wire-messages.ts'

describe('NullpoolError', () => {
  it('NullpoolError has code, message, hint, retryable and cause', () => {
    const cause = new Error('underneath')
    const error = new NullpoolError('ERR_SERVER', 'It broke.', {
      cause,
      hint: 'Mend it.',
      retryable: true,
    })
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({ name: 'NullpoolError', code: 'ERR_SERVER', retryable: true })
    expect(error.hint).toBe('Mend it.')
    expect(error.cause).toBe(cause)
    expect(error.message).toBe('It broke. Mend it.')
    expect(String(error)).toBe('NullpoolError: It broke. Mend it.')
  })

  it('NullpoolError is not retryable unless somebody is certain', () => {
    expect(new NullpoolError('ERR_SERVER', 'x').retryable).toBe(false)
    expect(new NullpoolError('ERR_SERVER', 'x', { hint: undefined }).retryable).toBe(false)
  })

  it('NullpoolError has no hint and no cause where there is none', () => {
    const error = new NullpoolError('ERR_SERVER', 'x', { hint: undefined })
    expect('hint' in error).toBe(false)
    expect('cause' in error).toBe(false)
    expect(error.message).toBe('x')
  })

  it('NullpoolError keeps a cause that is undefined, because something was thrown', () => {
    expect('cause' in new NullpoolError('ERR_SERVER', 'x', { cause: undefined })).toBe(true)
  })

  it('NullpoolError does not repeat a hint that its message ends with', () => {
    const error = new NullpoolError('ERR_SERVER', 'It broke. Mend it.', { hint: 'Mend it.' })
    expect(error.message).toBe('It broke. Mend it.')
  })

  it('NullpoolError.is knows errors of another copy of this package', () => {
    const copy = Object.assign(new Error('x'), { name: 'NullpoolError', code: 'ERR_SERVER' })
    expect(NullpoolError.is(copy)).toBe(true)
    expect(NullpoolError.is(new NullpoolError('ERR_SERVER', 'x'))).toBe(true)
  })

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'NullpoolError'],
    ['a plain object', { name: 'NullpoolError', code: 'ERR_SERVER' }],
    ['another error', new Error('x')],
    ['an error of the system', Object.assign(new Error('x'), { code: 'ECONNRESET' })],
    ['an error without a code', Object.assign(new Error('x'), { name: 'NullpoolError' })],
    ['what the server said', new ServerError('FATAL', '28P01', 'x')],
  ])('NullpoolError.is does not take %s for one', (_what, value) => {
    expect(NullpoolError.is(value)).toBe(false)
  })
})

describe('ServerError', () => {
  it('ServerError has severity, SQLSTATE and message and nothing else that could quote a row', () => {
    const error = new ServerError('FATAL', '28P01', 'no')
    expect(error).toBeInstanceOf(Error)
    expect({ ...error }).toEqual({ name: 'ServerError', severity: 'FATAL', sqlState: '28P01' })
    expect(error.message).toBe('no')
  })
})

const PARAMETER = 'a very private parameter'

/** Everything that a log could show of a value. */
function everythingOf(value: unknown): string {
  const seen: string[] = []
  for (
    let at = value;
    at !== undefined && at !== null;
    at = at instanceof Error ? at.cause : null
  ) {
    seen.push(String(at), at instanceof Error ? `${at.stack}` : '')
    seen.push(inspect(at, { depth: null, showHidden: true }), `${JSON.stringify(at)}`)
    seen.push(JSON.stringify(at, Object.getOwnPropertyNames(at)))
  }
  return seen.join('\n')
}

function expectNoSecret(value: unknown): void {
  const shown = everythingOf(value)
  expect(shown).not.toContain(PASSWORD)
  expect(shown).not.toContain(PARAMETER)
  expect(shown).not.toContain(Buffer.from(PARAMETER).toString('hex'))
}

/** What a server can do to a statement with a parameter, at every stage. */
const ENDS: readonly [string, (wire: MemoryWire) => Promise<unknown>][] = [
  [
    'refuses',
    async (wire) => {
      wire.server.refusal = new TransportError('refused', 'ECONNREFUSED', { cause: new Error('x') })
    },
  ],
  ['asks for a password in clear', (wire) => answerStartup(wire, server.authentication(3))],
  [
    'asks for MD5 and closes',
    (wire) => answerStartup(wire, server.authentication(5, Buffer.alloc(4)), true),
  ],
  ['asks for Kerberos', (wire) => answerStartup(wire, server.authentication(2))],
  [
    'breaks off SCRAM',
    (wire) => answerStartup(wire, server.authenticationSasl('SCRAM-SHA-256'), true),
  ],
  [
    'refuses the password',
    (wire) =>
      answerStartup(wire, server.errorMessage('FATAL', '28P01', 'password authentication failed')),
  ],
  ['speaks HTTP', (wire) => answerStartup(wire, Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'))],
  ['closes behind the statement', async (wire) => (await logIn(wire)).finish()],
  [
    'quotes a row in the detail of a FATAL',
    async (wire) => {
      const fields = `SFATAL\0VFATAL\0C57P01\0Mbye\0DKey (x)=(${PARAMETER})\0W${PARAMETER}\0\0`
      ;(await logIn(wire)).send(client.message('E', Buffer.from(fields)))
    },
  ],
]

async function answerStartup(wire: MemoryWire, answer: Buffer, close = false): Promise<void> {
  const peer = await wire.server.accept()
  await peer.expect('Startup')
  peer.send(answer)
  if (close) await peer.next()
  if (close) peer.finish(new TransportError('lost', 'ECONNRESET'))
}

async function logIn(wire: MemoryWire): Promise<MemoryPeer> {
  const peer = await wire.login()
  await peer.next()
  return peer
}

describe('an error of this package', () => {
  it.each(ENDS)(
    'an error holds neither password nor parameter when the server %s',
    async (_what, act) => {
      const wire = memoryWire()
      const driver = new MemoryDriver(wire.upstream)
      await driver.start()
      const acting = act(wire)
      driver.write(client.extended('select $1', [PARAMETER]), client.sync)
      await acting
      await driver.until('error')
      driver.write(client.extended('select $1', [PARAMETER]), client.sync)
      await driver.until('error')
      expect(driver.errors).toHaveLength(2)
      for (const error of driver.errors) expectNoSecret(error)
    },
  )

  it.each(ENDS)(
    'an error through postgres.js holds neither when the server %s',
    async (_what, act) => {
      const wire = memoryWire()
      const sql = postgresDriver().createClient({
        ...{ host: 'db.test', port: 6543, user: 'alice', database: 'shop' },
        connect: (listener) => new Front(wire.upstream, listener),
        notice: () => undefined,
        unsupported: (feature) => new NullpoolError('ERR_SESSION_STATE', feature),
      })
      const acting = act(wire)
      const failing = sql`select ${PARAMETER}`.catch((error: unknown) => error)
      await acting
      const error = await failing
      expect(NullpoolError.is(error)).toBe(true)
      expectNoSecret(error)
    },
  )

  it('nothing that holds the password shows it to an inspector', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.extended('select $1', [PARAMETER]), client.sync)
    const peer = await wire.login()
    await rest()
    for (const value of [wire.upstream, driver.front]) {
      const shown = inspect(value, { depth: null, showHidden: true })
      expect(shown).not.toContain(PASSWORD)
      expect(shown).not.toContain(PARAMETER)
      expect(JSON.stringify(value)).toMatch(/^(\{\}|\{"where":\{\}\})$/)
    }
    expect(peer.writes.length).toBeGreaterThan(1)
  })
})
