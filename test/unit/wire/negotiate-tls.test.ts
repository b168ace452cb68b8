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

  it('negotiateTls tells what a server says that refuses before TLS', async () => {
    const answer = errorMessage('FATAL', '53300', 'sorry, too many clients already')
    await expect(negotiate(answer)).rejects.toMatchObject({
      code: 'ERR_POOLER_FULL',
      retryable: true,
    })
  })

  it('negotiateTls calls a server unavailable whose refusal came in pieces', async () => {
    const answer = errorMessage('FATAL', '53300', 'sorry').subarray(0, 7)
    await expect(negotiate(answer)).rejects.toMatchObject({
      code: 'ERR_SERVER_UNAVAILABLE',
      retryable: true,
    })
  })

  it('negotiateTls understands a postmaster that could not fork, which frames its words by NUL alone', async () => {
    // report_fork_failure_to_client (postmaster.c) writes the error of protocol 2.
    const answer = Buffer.from('Ecould not fork new process for connection: Out of memory\n\0')
    await expect(negotiate(answer)).rejects.toMatchObject({
      code: 'ERR_SERVER_UNAVAILABLE',
      retryable: true,
    })
  })

  it('negotiateTls passes on what the connection died of', async () => {
    const died = new Error('reset')
    await expect(negotiateTls(() => Promise.reject(died))).rejects.toBe(died)
  })
})
