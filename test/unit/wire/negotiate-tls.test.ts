import { describe, expect, it } from 'vitest'
import { negotiateTls } from '../../../src/wire/handshake.ts'
import { errorMessage } from '../../support/server-messages.ts'
import { sslRequest } from '../../support/wire-messages.ts'

/** Negotiates with a server that answers with these bytes; resolves to what was written. */
async function negotiate(answer: Uint8Array): Promise<Buffer[]> {
  const written: Buffer[] = []
  await negotiateTls((bytes) => {
    written.push(Buffer.from(bytes))
    return Promise.resolve(new Uint8Array(answer))
  })
  return written
}

const PROTOCOL_ERROR = { code: 'ERR_PROTOCOL', retryable: false }

describe('negotiateTls', () => {
  it('negotiateTls writes SSLRequest once and nothing else, and goes on after S', async () => {
    expect(await negotiate(Buffer.from('S'))).toEqual([sslRequest])
  })

  it('negotiateTls refuses to go on in clear after N, and says how to mend it', async () => {
    await expect(negotiate(Buffer.from('N'))).rejects.toMatchObject({
      code: 'ERR_TLS_REFUSED',
      retryable: false,
      hint: expect.stringContaining("tls to 'disable'"),
    })
  })

  it('negotiateTls refuses bytes behind S, which could be injected (CVE-2021-23222)', async () => {
    await expect(negotiate(Buffer.from('S\x16'))).rejects.toMatchObject(PROTOCOL_ERROR)
    await expect(negotiate(Buffer.from('SS'))).rejects.toMatchObject(PROTOCOL_ERROR)
  })

  it('negotiateTls refuses bytes behind N', async () => {
    await expect(negotiate(Buffer.from('NE'))).rejects.toMatchObject(PROTOCOL_ERROR)
  })

  it.each(['G', 's', 'n', '\0', '\x15', 'H'])(
    'negotiateTls refuses the answer %j',
    async (answer) => {
      await expect(negotiate(Buffer.from(answer))).rejects.toMatchObject(PROTOCOL_ERROR)
    },
  )

  it('negotiateTls refuses an answer without a byte', async () => {
    await expect(negotiate(new Uint8Array(0))).rejects.toMatchObject(PROTOCOL_ERROR)
  })

  it('negotiateTls refuses HTTP', async () => {
    await expect(negotiate(Buffer.from('HTTP/1.1 400\r\n'))).rejects.toMatchObject(PROTOCOL_ERROR)
  })

  it.each([
    ['in whole', errorMessage('FATAL', '28P01', 'FORGED words')],
    ['in pieces', errorMessage('FATAL', '53300', 'FORGED words').subarray(0, 7)],
    // report_fork_failure_to_client (postmaster.c) writes the error of protocol 2.
    ['as protocol 2 did', Buffer.from('EFORGED words\n\0')],
  ])('negotiateTls does not repeat a refusal that came in clear, %s', async (_how, answer) => {
    const error = await negotiate(answer).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'ERR_SERVER_UNAVAILABLE', retryable: true })
    expect(String(error)).not.toContain('FORGED')
  })

  it('negotiateTls passes on what the connection died of', async () => {
    const died = new Error('reset')
    await expect(negotiateTls(() => Promise.reject(died))).rejects.toBe(died)
  })
})
