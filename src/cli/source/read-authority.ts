import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { CommandFailure, requireName } from '../failure.ts'

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g

/** The file of `--ca`: PEM with at least one certificate in it that can be read. */
export async function readAuthority(file: string): Promise<string> {
  requireName('--ca', 'file', file)
  const bytes = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
    throw new CommandFailure(`The file ${file} of --ca cannot be read (${cause.code}).`, { cause })
  })
  const text = bytes.toString('utf8')
  const certificates = text.match(CERTIFICATE) ?? []
  if (certificates.length === 0) {
    throw new CommandFailure(
      `The file ${file} of --ca holds no certificate in PEM. ${whatItIs(bytes, text, file)}`,
    )
  }
  if (certificates.every(isReadable)) return text
  throw new CommandFailure(
    `The file ${file} of --ca holds a certificate that cannot be read. Copy it again.`,
  )
}

function whatItIs(bytes: Buffer, text: string, file: string): string {
  if (bytes.length === 0) return 'It is empty.'
  if (/PRIVATE KEY-----/.test(text)) {
    return 'It holds a private key, which nobody else should have: give the root certificate.'
  }
  return isReadable(bytes)
    ? `It is one in DER: openssl x509 -inform der -in ${file} -out root.pem writes it as PEM.`
    : 'Give the root certificate, which begins with -----BEGIN CERTIFICATE-----.'
}

function isReadable(certificate: string | Buffer): boolean {
  try {
    new X509Certificate(certificate)
    return true
  } catch {
    return false
  }
}
