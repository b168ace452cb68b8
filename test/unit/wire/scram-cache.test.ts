import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest'
import type { ScramExchange } from '../../../src/wire/scram.ts'
import { initial, words } from '../../support/scram-messages.ts'
import { ScramServer, scramSecret } from '../../support/scram-server.ts'

type Module = typeof import('../../../src/wire/scram.ts')

let scram: Module
let derive: MockInstance<SubtleCrypto['deriveBits']>

beforeEach(async () => {
  // The cache is the module's: each test takes a new one.
  vi.resetModules()
  scram = await import('../../../src/wire/scram.ts')
  derive = vi.spyOn(crypto.subtle, 'deriveBits')
})

afterEach(() => derive.mockRestore())

interface Challenge {
  password?: string
  salt?: string
  iterations?: number
}

async function challenge({ password = 'pw', salt = 'salt', iterations = 2 }: Challenge) {
  const exchange: ScramExchange = scram.createScramExchange(password)
  const nonce = `${exchange.first.slice('n,,n=,r='.length)}server`
  await exchange.respond(`r=${nonce},s=${btoa(salt)},i=${iterations}`)
}

describe('the cache of keys', () => {
  it('createScramExchange derives a key once for one password, salt and count', async () => {
    for (let login = 0; login < 5; login++) await challenge({})
    expect(derive).toHaveBeenCalledTimes(1)
  })

  it('createScramExchange hands exactly what the server announced to PBKDF2', async () => {
    await challenge({ salt: 'NaCl', iterations: 3 })
    const [algorithm, , bits] = derive.mock.calls[0] ?? []
    expect(algorithm).toMatchObject({ name: 'PBKDF2', hash: 'SHA-256', iterations: 3 })
    expect(algorithm).toHaveProperty('salt', new TextEncoder().encode('NaCl'))
    expect(bits).toBe(256)
  })

  it('createScramExchange derives again for another password, another salt, another count', async () => {
    await challenge({})
    await challenge({ password: 'PW' })
    await challenge({ salt: 'pepper' })
    await challenge({ iterations: 3 })
    expect(derive).toHaveBeenCalledTimes(4)
    await challenge({})
    await challenge({ password: 'PW' })
    await challenge({ salt: 'pepper' })
    await challenge({ iterations: 3 })
    expect(derive).toHaveBeenCalledTimes(4)
  })

  it('createScramExchange does not mix a salt with the password behind it', async () => {
    await challenge({ salt: 'a', password: `${btoa('b')} x` })
    await challenge({ salt: 'a', password: 'x' })
    await challenge({ iterations: 1, password: '1 YQ== x' })
    await challenge({ iterations: 11, password: 'YQ== x' })
    expect(derive).toHaveBeenCalledTimes(4)
  })

  it('createScramExchange proves the password with keys from the cache as with new ones', async () => {
    const secret = scramSecret('pw')
    for (let login = 0; login < 3; login++) {
      const server = new ScramServer(secret)
      const exchange = scram.createScramExchange('pw')
      const final = await exchange.respond(words(server.first(initial(exchange.first))))
      exchange.verify(words(server.final(Buffer.from(final))))
    }
    expect(derive).toHaveBeenCalledTimes(1)
  })

  it('createScramExchange remembers sixteen keys and drops the oldest for a seventeenth', async () => {
    for (let at = 0; at < 16; at++) await challenge({ salt: `salt ${at}` })
    for (let at = 0; at < 16; at++) await challenge({ salt: `salt ${at}` })
    expect(derive).toHaveBeenCalledTimes(16)
    await challenge({ salt: 'salt 16' })
    expect(derive).toHaveBeenCalledTimes(17)
    for (let at = 1; at <= 16; at++) await challenge({ salt: `salt ${at}` })
    expect(derive).toHaveBeenCalledTimes(17)
    await challenge({ salt: 'salt 0' })
    expect(derive).toHaveBeenCalledTimes(18)
  })

  it('createScramExchange remembers nothing of a derivation that failed', async () => {
    derive.mockRejectedValueOnce(new Error('no more CPU time'))
    await expect(challenge({})).rejects.toThrow('no more CPU time')
    await challenge({})
    expect(derive).toHaveBeenCalledTimes(2)
  })

  it('createScramExchange keeps no promise: of two logins at once each derives for itself', async () => {
    await Promise.all([challenge({}), challenge({})])
    expect(derive).toHaveBeenCalledTimes(2)
  })

  it('createScramExchange drops no other key when two logins at once store the same one', async () => {
    for (let at = 0; at < 15; at++) await challenge({ salt: `salt ${at}` })
    await Promise.all([challenge({ salt: 'last' }), challenge({ salt: 'last' })])
    derive.mockClear()
    await challenge({ salt: 'salt 0' })
    expect(derive).not.toHaveBeenCalled()
  })
})
