import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { makeCertificates } from '../support/certificates.ts'
import { examine } from '../support/run-doctor.ts'
import { runNullpool } from '../support/run-nullpool.ts'

const PASSWORD = 'hunter2/3'

/** The connection string of a server that answers the first bytes so, and nothing else. */
async function withServer<Result>(
  answer: (socket: Socket) => void,
  work: (url: string) => Promise<Result>,
): Promise<Result> {
  const server = createServer((socket) => {
    socket.on('error', () => {}).once('data', () => answer(socket))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  try {
    return await work(`postgres://u:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/d`)
  } finally {
    server.close()
  }
}

const reset = (socket: Socket): unknown => socket.resetAndDestroy()

/** An ErrorResponse in these words. */
function refusing(words: string): (socket: Socket) => void {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C28000\0M${words}\0\0`)
  const head = Buffer.alloc(5)
  head.write('E')
  head.writeUInt32BE(fields.length + 4, 1)
  return (socket) => socket.end(Buffer.concat([head, fields]))
}

describe('what a server says', () => {
  const words = `no \x1b[2J\x1b]0;title\x07 entry\nwith ${PASSWORD} (${encodeURIComponent(PASSWORD)})`

  it.for([
    ['pool-size', []],
    ['connections', ['--once']],
    ['doctor', []],
  ] as const)(
    'reaches the terminal of %s without what that obeys, and without the password',
    async ([command, options]) => {
      const { code, output, errors } = await withServer(refusing(words), (url) =>
        runNullpool([command, url, ...options]),
      )
      expect(code).toBe(2)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
      expect(output + errors).not.toMatch(/[\x00-\x09\x0b-\x1f]/)
      expect(output + errors).toContain('no ·[2J·]0;title· entry·with *** (***)')
      expect(output + errors).not.toContain('hunter2')
    },
  )

  it('is not in the JSON of the doctor either', async () => {
    const report = await withServer(refusing(words), (url) => examine([url]))
    expect(JSON.stringify(report)).not.toContain('hunter2')
    expect(report.firstFailure?.message).toContain('with *** (***)')
  })
})

describe('a server that ends the connection at its first bytes', () => {
  it('is explained by the doctor, in clear and at the request for TLS', async () => {
    const [inClear, withTls] = await withServer(reset, async (url) => [
      await examine([url]),
      await examine([`${url}?sslmode=require`]),
    ])
    expect(inClear?.firstFailure).toMatchObject({ step: 'login', code: 'ERR_CONNECTION_LOST' })
    expect(inClear?.firstFailure?.fix).toContain('not Postgres')
    expect(withTls?.firstFailure).toMatchObject({ step: 'tls', code: 'ERR_CONNECTION_LOST' })
    expect(withTls?.firstFailure?.fix).not.toContain('sslnegotiation')
  })

  it('is asked to do without direct TLS where that was asked for', async () => {
    const report = await withServer(reset, (url) =>
      examine([`${url}?sslmode=require&sslnegotiation=direct`]),
    )
    expect(report.firstFailure).toMatchObject({ step: 'tls', code: 'ERR_TLS_FAILED' })
    expect(report.firstFailure?.fix).toContain('remove sslnegotiation=direct')
  })

  it('has rolled nothing back, for nobody was let in', async () => {
    const { code, errors } = await withServer(reset, (url) =>
      runNullpool(['connections', url, '--once']),
    )
    expect(code).toBe(2)
    expect(errors).toContain('was closed by the other side. The statement did not run.\n')
  })
})

describe('a port that takes TLS alone', () => {
  it.for(['', '?sslmode=require'])('is named by the doctor: %s', async (parameters) => {
    const certificates = await makeCertificates()
    const { cert, key } = certificates.server
    const server = createTlsServer({ cert, key }).on('tlsClientError', () => {})
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const report = await examine([`postgres://u:p@127.0.0.1:${port}/d${parameters}`])
    server.close()
    await certificates.remove()
    expect(report.firstFailure).toMatchObject({ code: 'tls-first' })
    expect(report.firstFailure?.message).toContain('speaks TLS from the first byte on')
    expect(report.firstFailure?.fix).toContain('sslnegotiation=direct')
  })
})
