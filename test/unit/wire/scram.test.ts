import { pbkdf2Sync } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createScramExchange } from '../../../src/wire/scram.ts'
import { initial, words } from '../../support/scram-messages.ts'
import {
  hmac,
  type ScramSecret,
  ScramServer,
  scramSecret,
  sha256,
} from '../../support/scram-server.ts'

/** Plays an exchange to its end against a server with this secret. */
async function logIn(password: string, secret: ScramSecret): Promise<void> {
  const server = new ScramServer(secret)
  const exchange = createScramExchange(password)
  const final = await exchange.respond(words(server.first(initial(exchange.first))))
  exchange.verify(words(server.final(Buffer.from(final))))
}

/** What a server keeps of a password whose preparation gave exactly these characters. */
function secretOfPrepared(password: string): ScramSecret {
  const salt = Buffer.from('0123456789abcdef')
  const salted = pbkdf2Sync(password, salt, 4096, 32, 'sha256')
  return {
    salt,
    storedKey: sha256(hmac(salted, 'Client Key')),
    serverKey: hmac(salted, 'Server Key'),
  }
}

function nonceOf(exchange: { first: string }): string {
  return exchange.first.slice('n,,n=,r='.length)
}

const SALT = Buffer.from('salt').toString('base64')

/** What `respond` says to a server-first message that is made of the client's nonce. */
function respondTo(make: (nonce: string) => string): Promise<string> {
  const exchange = createScramExchange('pw')
  return exchange.respond(make(nonceOf(exchange)))
}

describe('createScramExchange', () => {
  it('createScramExchange proves the password to an independent server and believes its proof', async () => {
    await expect(logIn('pencil', scramSecret('pencil'))).resolves.toBeUndefined()
  })

  it('createScramExchange logs in with any password of printable ASCII', async () => {
    const password = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(password, async (text) => {
        await logIn(text, secretOfPrepared(text))
      }),
      { seed: 6, numRuns: 30, examples: [['a,b=c'], [' leading'], ["'; --"], ['%40:/?#']] },
    )
  })

  it('createScramExchange begins without channel binding and without a user name', () => {
    expect(createScramExchange('pw').first).toMatch(/^n,,n=,r=[\x21-\x2b\x2d-\x7e]{18,}$/)
  })

  it('createScramExchange never uses a nonce twice', () => {
    const nonces = Array.from({ length: 50 }, () => nonceOf(createScramExchange('pw')))
    expect(new Set(nonces).size).toBe(50)
  })

  it('createScramExchange repeats the server’s whole nonce and the empty channel binding', async () => {
    const exchange = createScramExchange('pw')
    const nonce = `${nonceOf(exchange)}server`
    const final = await exchange.respond(`r=${nonce},s=${SALT},i=1`)
    expect(final.startsWith(`c=biws,r=${nonce},p=`)).toBe(true)
  })

  it('createScramExchange computes RFC 5802’s proof for a fixed exchange', async () => {
    const exchange = createScramExchange('pencil')
    const bare = exchange.first.slice(3)
    const serverFirst = `r=${nonceOf(exchange)}%hvYDpWUa2RaTCAfuxFIlj)hNlF,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`
    const final = await exchange.respond(serverFirst)
    const [withoutProof = '', proof = ''] = final.split(',p=')
    const secret = secretWithSalt('pencil', 'W22ZaJ0SNY7soEsUEjb6gQ==')
    const signed = `${bare},${serverFirst},${withoutProof}`
    const signature = hmac(sha256(secret.clientKey), signed)
    const sent = Buffer.from(proof, 'base64')
    expect(Buffer.from(sent.map((byte, at) => byte ^ (signature[at] ?? 0)))).toEqual(
      secret.clientKey,
    )
    const v = hmac(secret.serverKey, signed).toString('base64')
    expect(() => exchange.verify(`v=${v}`)).not.toThrow()
  })

  it('createScramExchange with a wrong password is refused by the server', async () => {
    await expect(logIn('wrong', scramSecret('right'))).rejects.toThrow(
      'The server refused: password.',
    )
  })
})

function secretWithSalt(password: string, salt: string): { clientKey: Buffer; serverKey: Buffer } {
  const salted = pbkdf2Sync(password, Buffer.from(salt, 'base64'), 4096, 32, 'sha256')
  return { clientKey: hmac(salted, 'Client Key'), serverKey: hmac(salted, 'Server Key') }
}

describe('createScramExchange prepares passwords', () => {
  it.each([
    ['an NFD umlaut', 'u\u0308ber', 'über'],
    ['a ligature', '\ufb01re', 'fire'],
    ['a Roman numeral, RFC 4013', '\u2168', 'IX'],
    ['a feminine ordinal, RFC 4013', '\u00aa', 'a'],
    ['a soft hyphen, RFC 4013', 'I\u00adX', 'IX'],
    ['a no-break space', 'a\u00a0b', 'a b'],
    ['an ideographic space', 'a\u3000b', 'a b'],
    ['a zero-width space, which Postgres counts as a space', 'a\u200bb', 'a b'],
    ['a byte order mark', '\ufeffab', 'ab'],
    ['a variation selector', 'a\ufe0f', 'a'],
  ])('createScramExchange takes %s as Postgres does', async (_what, typed, prepared) => {
    await logIn(typed, secretOfPrepared(prepared))
  })

  it('createScramExchange keeps the user’s case and his ASCII spaces', async () => {
    await logIn(' Pass Word ', secretOfPrepared(' Pass Word '))
  })

  it.each([
    ['a code point that Unicode 3.2 does not assign', '\ufb01re😀'],
    ['an emoji of several code points', '👩\u200d💻'],
    ['a control character', '\ufb01re\u0007'],
    ['a private-use character', '\ufb01re\ue000'],
    ['nothing but what is mapped to nothing', '\u00ad'],
  ])(
    'createScramExchange leaves a password with %s as it is, as Postgres does',
    async (_what, typed) => {
      await logIn(typed, secretOfPrepared(typed))
    },
  )
})

describe('createScramExchange distrusts the server', () => {
  it.each([
    ['does not begin with ours', () => 'AAAAAAAAAAAAAAAAAAAAAAAAserver'],
    ['is ours and nothing more', (nonce: string) => nonce],
    ['is empty', () => ''],
    ['has ours in the middle', (nonce: string) => `x${nonce}x`],
  ])('createScramExchange refuses a server whose nonce %s', async (_what, make) => {
    const answer = respondTo((nonce) => `r=${make(nonce)},s=${SALT},i=4096`)
    await expect(answer).rejects.toMatchObject({ code: 'ERR_AUTH_SERVER', retryable: false })
  })

  it.each([
    ['zero iterations', `s=${SALT},i=0`],
    ['negative iterations', `s=${SALT},i=-1`],
    ['a fraction of an iteration', `s=${SALT},i=1.5`],
    ['iterations that are no number', `s=${SALT},i=many`],
    ['infinite iterations', `s=${SALT},i=Infinity`],
    ['no iterations', `s=${SALT}`],
    ['empty iterations', `s=${SALT},i=`],
    ['no salt', 'i=4096'],
    ['an empty salt', 's=,i=4096'],
    ['a salt that is not base64', 's=!!!!,i=4096'],
    ['a salt of impossible length', 's=QUJDR,i=4096'],
  ])('createScramExchange calls %s malformed', async (_what, rest) => {
    const answer = respondTo((nonce) => `r=${nonce}x,${rest}`)
    await expect(answer).rejects.toMatchObject({ code: 'ERR_PROTOCOL', retryable: false })
  })

  it('createScramExchange refuses more iterations than Workers compute, and says how to mend it', async () => {
    const answer = respondTo((nonce) => `r=${nonce}x,s=${SALT},i=100001`)
    await expect(answer).rejects.toMatchObject({
      code: 'ERR_AUTH_METHOD',
      hint: expect.stringContaining('scram_iterations'),
    })
  })

  it('createScramExchange computes exactly the most iterations that Workers allow', async () => {
    const answer = respondTo((nonce) => `r=${nonce}x,s=${SALT},i=100000`)
    await expect(answer).resolves.toMatch(/,p=.{44}$/)
  })

  it.each([
    ['the signature of another secret', `v=${Buffer.alloc(32, 1).toString('base64')}`],
    ['a signature that is too short', `v=${Buffer.alloc(31).toString('base64')}`],
    ['an empty signature', 'v='],
    ['no signature', 'x=1'],
    ['nothing', ''],
    ['a signature that is not base64', 'v=%%%%'],
    ['an error of SCRAM', 'e=invalid-proof'],
  ])('createScramExchange does not believe %s', async (_what, serverFinal) => {
    const exchange = createScramExchange('pw')
    await exchange.respond(`r=${nonceOf(exchange)}x,s=${SALT},i=1`)
    expect(() => exchange.verify(serverFinal)).toThrow(
      expect.objectContaining({ code: 'ERR_AUTH_SERVER', retryable: false }),
    )
  })

  it('createScramExchange does not believe a right signature with one bit changed', async () => {
    const server = new ScramServer(scramSecret('pw'))
    const exchange = createScramExchange('pw')
    const final = await exchange.respond(words(server.first(initial(exchange.first))))
    const right = Buffer.from(words(server.final(Buffer.from(final))).slice(2), 'base64')
    for (const at of [0, 15, 31]) {
      const wrong = Buffer.from(right)
      wrong[at] = (wrong[at] ?? 0) ^ 1
      expect(() => exchange.verify(`v=${wrong.toString('base64')}`)).toThrow(/could not prove/)
    }
    expect(() => exchange.verify(`v=${right.toString('base64')}`)).not.toThrow()
  })

  it('createScramExchange does not believe a signature before the challenge', () => {
    expect(() => createScramExchange('pw').verify('v=')).toThrow(/could not prove/)
  })

  it('createScramExchange refuses an extension that it would have to understand (RFC 5802, m=)', async () => {
    await expect(respondTo((nonce) => `m=x,r=${nonce}x,s=${SALT},i=1`)).rejects.toMatchObject({
      code: 'ERR_PROTOCOL',
    })
  })
})
