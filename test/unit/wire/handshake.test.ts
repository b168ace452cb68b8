import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { authenticate, type Credentials } from '../../../src/wire/handshake.ts'
import { initial } from '../../support/scram-messages.ts'
import { ScramServer, scramSecret } from '../../support/scram-server.ts'
import * as server from '../../support/server-messages.ts'
import { message, startupMessage } from '../../support/wire-messages.ts'

const PASSWORD = 'pässword, = "quoted"'

const CREDENTIALS: Credentials = {
  user: 'alice.ref',
  database: 'shop',
  password: () => PASSWORD,
  applicationName: 'nullpool',
}

const STARTUP = startupMessage({
  user: 'alice.ref',
  database: 'shop',
  client_encoding: 'UTF8',
  application_name: 'nullpool',
})

/** What a server says to the client's n-th write; nothing is said before. */
type Script = readonly ((written: Buffer) => readonly Buffer[])[]

interface Login {
  writes: Buffer[]
  result: Promise<unknown>
}

/** Logs in over a channel whose server follows a script, then closes. */
function logIn(script: Script, encrypted = true): Login {
  const writes: Buffer[] = []
  const said: Buffer[] = []
  const result = authenticate(
    {
      write(bytes) {
        if (said.length > 0) throw new Error('The client wrote before it had read everything.')
        const written = Buffer.from(bytes)
        said.push(...(script[writes.length]?.(written) ?? []))
        writes.push(written)
        return Promise.resolve()
      },
      next() {
        const next = said.shift()
        return next
          ? Promise.resolve(new Uint8Array(next))
          : Promise.reject(new Error('The server has nothing more to say.'))
      },
    },
    CREDENTIALS,
    { encrypted, pipelines: false },
  )
  return { writes, result }
}

/** The messages in a write, to see that it is exactly one. */
function tags(write: Buffer): string {
  let found = ''
  for (let at = 0; at < write.length; at += 1 + write.readUInt32BE(at + 1)) {
    found += String.fromCharCode(write[at] ?? 0)
  }
  return found
}

const say =
  (...messages: Buffer[]) =>
  (): Buffer[] =>
    messages

/** The two answers of a server that knows a password. */
function scram(password: string): [Script[number], Script[number]] {
  const exchange = new ScramServer(scramSecret(password))
  const answer = (type: number, given: ReturnType<ScramServer['first']>): Buffer[] => [
    'message' in given
      ? server.authentication(type, Buffer.from(given.message))
      : server.errorMessage('FATAL', '28P01', 'password authentication failed for user "alice"'),
  ]
  return [
    (written) => answer(11, exchange.first(written.subarray(5))),
    (written) => answer(12, exchange.final(written.subarray(5))),
  ]
}

describe('authenticate', () => {
  it('authenticate sends only the parameters that every pooler takes, in one write', async () => {
    const { writes, result } = logIn([say(server.authenticationOk)])
    await result
    expect(writes).toEqual([STARTUP])
  })

  it('authenticate sends the password to a server that asks for it through TLS', async () => {
    const { writes, result } = logIn([say(server.authentication(3)), say(server.authenticationOk)])
    await result
    expect(writes).toEqual([STARTUP, message('p', Buffer.from(`${PASSWORD}\0`))])
  })

  it('authenticate never sends the password in clear', async () => {
    const { writes, result } = logIn([say(server.authentication(3))], false)
    await expect(result).rejects.toMatchObject({ code: 'ERR_AUTH_METHOD', retryable: false })
    expect(writes).toEqual([STARTUP])
  })

  it('authenticate computes the MD5 of password, user and salt', async () => {
    const salt = Buffer.from([1, 0, 255, 0x27])
    const md5 = (...parts: (string | Buffer)[]): string => {
      const hash = createHash('md5')
      for (const part of parts) hash.update(part)
      return hash.digest('hex')
    }
    const { writes, result } = logIn([
      say(server.authentication(5, salt)),
      say(server.authenticationOk),
    ])
    await result
    const digest = `md5${md5(md5(PASSWORD, 'alice.ref'), salt)}`
    expect(writes).toEqual([STARTUP, message('p', Buffer.from(`${digest}\0`))])
  })

  it('authenticate resolves on a verified SASLFinal, without waiting for anything', async () => {
    const [first, final] = scram(PASSWORD)
    const { writes, result } = logIn([
      say(server.authenticationSasl('SCRAM-SHA-256')),
      first,
      final,
    ])
    await result
    expect(writes.map((write, at) => (at === 0 ? 'startup' : tags(write)))).toEqual([
      'startup',
      'p',
      'p',
    ])
    expect(writes[1]?.subarray(5)).toEqual(initial(writes[1]?.toString('utf8', 23) ?? ''))
  })

  it('authenticate picks SCRAM-SHA-256 where channel binding is offered too', async () => {
    const [first, final] = scram(PASSWORD)
    const offer = server.authenticationSasl('SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256')
    const { writes, result } = logIn([say(offer), first, final])
    await result
    expect(writes[1]?.toString('latin1', 5, 26)).toBe('SCRAM-SHA-256\0\0\0\0\x20n,,')
  })

  it('authenticate makes a server’s refusal of a password an error that must not be retried', async () => {
    const [first, final] = scram('another')
    const { result } = logIn([say(server.authenticationSasl('SCRAM-SHA-256')), first, final])
    await expect(result).rejects.toMatchObject({ code: 'ERR_AUTH_PASSWORD', retryable: false })
  })

  it('authenticate passes over notices at every step', async () => {
    const hello = server.notice('queued')
    const [first, final] = scram(PASSWORD)
    const { result } = logIn([
      say(hello, hello, server.authenticationSasl('SCRAM-SHA-256')),
      (written) => [hello, ...first(written)],
      (written) => [hello, ...final(written)],
    ])
    await expect(result).resolves.toEqual({})
  })

  it('authenticate rejects with what the connection died of', async () => {
    await expect(logIn([]).result).rejects.toThrow('The server has nothing more to say.')
  })
})

describe('authenticate refuses', () => {
  it.each([
    [2, 'Kerberos V5'],
    [6, 'SCM credentials'],
    [7, 'GSSAPI'],
    [9, 'SSPI'],
    [99, 'something new'],
  ])('authenticate refuses method %i (%s) before it sends a secret', async (type) => {
    const { writes, result } = logIn([say(server.authentication(type))])
    await expect(result).rejects.toMatchObject({
      code: 'ERR_AUTH_METHOD',
      retryable: false,
      message: expect.stringContaining(`type ${type}`),
    })
    expect(writes).toEqual([STARTUP])
  })

  it('authenticate refuses mechanisms other than SCRAM-SHA-256, and names them', async () => {
    const offer = server.authenticationSasl('SCRAM-SHA-256-PLUS', 'OAUTHBEARER')
    const { writes, result } = logIn([say(offer)])
    await expect(result).rejects.toThrow('SCRAM-SHA-256-PLUS, OAUTHBEARER')
    expect(writes).toHaveLength(1)
  })

  it('authenticate refuses a second request behind a password', async () => {
    const { writes, result } = logIn([
      say(server.authentication(3)),
      say(server.authentication(5, Buffer.alloc(4))),
    ])
    await expect(result).rejects.toMatchObject({ code: 'ERR_AUTH_METHOD' })
    expect(writes).toHaveLength(2)
  })

  it.each([
    ['AuthenticationOk', server.authenticationOk],
    ['SASLFinal', server.authentication(12, Buffer.from('v=QUJD'))],
    ['a request for the password', server.authentication(3)],
  ])('authenticate refuses %s where the challenge is due', async (_what, answer) => {
    const { writes, result } = logIn([say(server.authenticationSasl('SCRAM-SHA-256')), say(answer)])
    await expect(result).rejects.toMatchObject({ code: 'ERR_AUTH_SERVER', retryable: false })
    expect(writes).toHaveLength(2)
  })

  it('authenticate refuses AuthenticationOk where the server’s proof is due', async () => {
    const [first] = scram(PASSWORD)
    const { result } = logIn([
      say(server.authenticationSasl('SCRAM-SHA-256')),
      first,
      say(server.authenticationOk),
    ])
    await expect(result).rejects.toMatchObject({ code: 'ERR_AUTH_SERVER', retryable: false })
  })

  it('authenticate refuses a proof of another secret', async () => {
    const [first] = scram(PASSWORD)
    const forged = `v=${Buffer.alloc(32).toString('base64')}`
    const { result } = logIn([
      say(server.authenticationSasl('SCRAM-SHA-256')),
      first,
      say(server.authentication(12, Buffer.from(forged))),
    ])
    await expect(result).rejects.toMatchObject({ code: 'ERR_AUTH_SERVER' })
  })

  it.each([0, 1, 2, 3])('authenticate tells what the server says at step %i', async (step) => {
    const [first, final] = scram(PASSWORD)
    const refusal = server.errorMessage('FATAL', '3D000', 'database "shop" does not exist')
    const steps = [say(server.authenticationSasl('SCRAM-SHA-256')), first, final]
    const script = steps.map((each, at) => (at === step ? say(refusal) : each))
    const { result } =
      step < 3 ? logIn(script) : logIn([say(server.authentication(3)), say(refusal)])
    await expect(result).rejects.toMatchObject({ code: 'ERR_DATABASE_UNKNOWN' })
  })

  it.each([
    ['ReadyForQuery', server.ready()],
    ['NegotiateProtocolVersion', message('v', Buffer.alloc(8))],
    ['an authentication message without a type', message('R', Buffer.alloc(2))],
  ])('authenticate refuses %s during the login', async (_what, answer) => {
    const { result } = logIn([say(answer)])
    await expect(result).rejects.toMatchObject({ code: 'ERR_PROTOCOL' })
  })

  it('authenticate puts no password into its errors', async () => {
    const scripts: Script[] = [
      [say(server.authentication(7))],
      [say(server.authentication(3)), say(server.errorMessage('FATAL', '28P01', 'no'))],
      [say(server.authentication(5, Buffer.alloc(4))), say(server.authentication(9))],
      [say(server.authenticationSasl('SCRAM-SHA-256')), say(server.authenticationOk)],
    ]
    for (const script of scripts) {
      const error: unknown = await logIn(script).result.catch((caught: unknown) => caught)
      expect(error).toBeInstanceOf(Error)
      expect(`${error} ${JSON.stringify(error)} ${(error as Error).stack}`).not.toContain(
        'pässword',
      )
    }
  })
})
