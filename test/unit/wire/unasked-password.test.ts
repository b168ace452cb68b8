import { describe, expect, it } from 'vitest'
import { Greeting } from '../../../src/wire/greeting.ts'
import { authenticate, type Login } from '../../../src/wire/handshake.ts'
import * as server from '../../support/server-messages.ts'

const CREDENTIALS = {
  user: 'ada',
  database: 'library',
  password: () => 'open sesame',
  applicationName: 'test',
}

/** A login during which nothing is written and nothing read. */
function begin(): Promise<Login> {
  const never = (): never => {
    throw new Error('The network was used.')
  }
  const options = { encrypted: true, pipelines: 'password' } as const
  return authenticate({ write: never, next: never }, CREDENTIALS, options)
}

const message = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes)

describe('a password that leaves before it is asked for', () => {
  it('authenticate puts it behind the start-up message, for the first flight', async () => {
    const { proof = new Uint8Array() } = await begin()
    const length = Buffer.from(proof).readUInt32BE(0)
    expect(Buffer.from(proof).toString('latin1', 8, length)).toContain('user\0ada\0')
    expect(Buffer.from(proof.subarray(length)).toString('latin1')).toBe('p\0\0\0\x10open sesame\0')
  })

  it('Greeting takes the request for it, and the verdict', async () => {
    const greeting = new Greeting(await begin())
    expect(greeting.take(message(server.authentication(3)))).toBe(false)
    expect(greeting.take(message(server.authenticationOk))).toBe(false)
  })

  it.each([
    [5, /md5/],
    [10, /SCRAM-SHA-256/],
    [11, /type 11/],
  ])('Greeting refuses a request for %i, and names the way out', async (type, name) => {
    const greeting = new Greeting(await begin())
    expect(() => greeting.take(message(server.authentication(type, Buffer.alloc(4))))).toThrow(
      expect.objectContaining({
        code: 'ERR_AUTH_METHOD',
        retryable: false,
        message: expect.stringMatching(name),
        hint: expect.stringContaining("'supavisor'"),
      }),
    )
  })
})
