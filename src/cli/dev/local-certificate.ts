import { createPrivateKey, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import forge from 'node-forge'
import { makeFolder } from '../make-folder.ts'
import type { CertificateFiles } from '../postgres-options.ts'
import { userFolder } from '../user-folders.ts'

/** A server's certificate for this machine, and the authority that signed it. */
export interface LocalCertificate extends CertificateFiles {
  /** What a client has to trust. */
  caFile: string
}

const DAY_MS = 86_400_000
/** Apple's systems take no more for a server: https://support.apple.com/103769 */
const VALID_DAYS = 397
/** Nobody works for longer on end. */
const LEFT_DAYS = 2
/** RFC 5280 gives 2 to a name of DNS and 7 to an address of IP. */
const NAMES = [
  { type: 2, value: 'localhost' },
  { type: 7, ip: '127.0.0.1' },
]

/**
 * The certificate of the user's local servers, made once a year.
 *
 * The authority's private key is thrown away as soon as it has signed this one certificate: whoever trusts
 * it, trusts nothing else.
 */
export async function localCertificate(): Promise<LocalCertificate> {
  const folder = join(await userFolder('state'), 'tls')
  const files = {
    caFile: join(folder, 'ca.crt'),
    certFile: join(folder, 'server.crt'),
    keyFile: join(folder, 'server.key'),
  }
  if (!(await isGood(files))) await make(folder, files)
  return files
}

async function isGood({ caFile, certFile, keyFile }: LocalCertificate): Promise<boolean> {
  try {
    const [ca, certificate] = [
      new X509Certificate(await readFile(caFile)),
      new X509Certificate(await readFile(certFile)),
    ]
    const lasts = certificate.validToDate.getTime() - Date.now() > LEFT_DAYS * DAY_MS
    const key = createPrivateKey(await readFile(keyFile))
    return lasts && certificate.verify(ca.publicKey) && certificate.checkPrivateKey(key)
  } catch {
    return false
  }
}

async function make(folder: string, files: LocalCertificate): Promise<void> {
  await makeFolder(folder, 0o700)
  const authority = keyPair()
  const server = keyPair()
  const name = [{ name: 'commonName', value: 'nullpool dev, this machine only' }]
  const ca = sign(authority, authority.privateKey, name, name, [
    { name: 'basicConstraints', cA: true, pathLenConstraint: 0, critical: true },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    { name: 'subjectKeyIdentifier' },
  ])
  const subject = [{ name: 'commonName', value: 'localhost' }]
  const certificate = sign(server, authority.privateKey, subject, name, [
    { name: 'basicConstraints', cA: false, critical: true },
    { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
    { name: 'extKeyUsage', serverAuth: true },
    { name: 'subjectKeyIdentifier' },
    {
      name: 'authorityKeyIdentifier',
      keyIdentifier: ca.generateSubjectKeyIdentifier().getBytes(),
    },
    { name: 'subjectAltName', altNames: NAMES },
  ])
  await replace(files.keyFile, forge.pki.privateKeyToPem(server.privateKey))
  await replace(files.certFile, forge.pki.certificateToPem(certificate))
  await replace(files.caFile, forge.pki.certificateToPem(ca))
}

function sign(
  { publicKey }: forge.pki.rsa.KeyPair,
  signer: forge.pki.rsa.PrivateKey,
  subject: forge.pki.CertificateField[],
  issuer: forge.pki.CertificateField[],
  extensions: object[],
): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate()
  certificate.publicKey = publicKey
  // A leading 0 byte keeps it positive, as RFC 5280 wants it.
  certificate.serialNumber = `00${randomBytes(16).toString('hex')}`
  // Clocks of containers lag behind.
  certificate.validity.notBefore = new Date(Date.now() - DAY_MS)
  certificate.validity.notAfter = new Date(Date.now() + (VALID_DAYS - 1) * DAY_MS)
  certificate.setSubject(subject)
  certificate.setIssuer(issuer)
  certificate.setExtensions(extensions)
  certificate.sign(signer, forge.md.sha256.create())
  return certificate
}

/** Node's own, which takes a moment where the library takes seconds. */
function keyPair(): forge.pki.rsa.KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  })
  return {
    publicKey: forge.pki.publicKeyFromPem(publicKey),
    privateKey: forge.pki.privateKeyFromPem(privateKey),
  }
}

/** Another process that reads it sees the old one or the new one. */
async function replace(file: string, text: string): Promise<void> {
  const draft = `${file}.${process.pid}`
  await writeFile(draft, text, { mode: 0o600 })
  await rename(draft, file)
}
