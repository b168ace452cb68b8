import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Certificate, type Certificates, makeCertificates } from '../support/certificates.ts'

let certificates: Certificates

beforeAll(async () => {
  certificates = await makeCertificates()
})
afterAll(() => certificates.remove())

/** What a client that trusts `ca` says of a server with this certificate. */
async function verdict({ key, cert }: Certificate, ca: string): Promise<string> {
  const server = createServer({ key, cert }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = connect({ port, host: '127.0.0.1', ca })
  const result = await new Promise<string>((resolve) => {
    client.on('secureConnect', () => resolve('trusted'))
    client.on('error', (error) => resolve('code' in error ? String(error.code) : error.message))
  })
  client.destroy()
  server.close()
  return result
}

describe('the test certificates', () => {
  it.each([
    ['server', 'trusted'],
    ['expired', 'CERT_HAS_EXPIRED'],
    ['early', 'CERT_NOT_YET_VALID'],
    ['otherName', 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ] as const)('%s is %s', async (name, expected) => {
    expect(await verdict(certificates[name], certificates.ca.pem)).toBe(expected)
  })

  it('come from one of the two roots only', async () => {
    const { server, otherCa } = certificates
    expect(await verdict(server, otherCa.pem)).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE')
  })

  it('lie where other users can read them', async () => {
    const { folder, ca, server } = certificates
    expect((await stat(folder)).mode & 0o777).toBe(0o755)
    for (const file of [ca.file, server.certFile, server.keyFile]) {
      expect((await stat(file)).mode & 0o777).toBe(0o644)
    }
  })

  it('have keys that suit Postgres if asked for', async () => {
    const owner = await stat(certificates.folder)
    const file = await certificates.writeKeyFor(owner)
    const { mode, uid } = await stat(file)
    expect([mode & 0o777, uid]).toEqual([0o600, owner.uid])
  })
})
