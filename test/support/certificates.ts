import { execFile } from 'node:child_process'
import { chmod, chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** A server's certificate with its private key, as files and as PEM text. */
export interface Certificate {
  certFile: string
  /** Readable by everybody, which suits PgBouncer and Node; for Postgres see `writeKeyFor`. */
  keyFile: string
  cert: string
  key: string
}

/** A name that a database of Supabase could have; the server's certificate has it too. */
export const SUPABASE_HOST = 'db.abcdefghijklmnopqrst.supabase.co'

/** A private CA and what it signed, made for one test run. */
export interface Certificates {
  /** Readable by every user of the machine. */
  folder: string
  /** The root: what a client has to trust. */
  ca: { file: string; pem: string }
  /** Another root that signed nothing. */
  otherCa: { file: string; pem: string }
  /** For `localhost` and 127.0.0.1. */
  server: Certificate
  /** For the same names, and expired since 2020. */
  expired: Certificate
  /** For the same names, and valid from 2048 on. */
  early: Certificate
  /** For `other.example` only. */
  otherName: Certificate
  /** For {@link SUPABASE_HOST}, from an authority of Supabase's name that is not Supabase's. */
  impostor: Certificate
  /**
   * Writes a copy of a key with mode 0600 that belongs to a user, and returns its path.
   *
   * Postgres refuses a key that others can read, unless root owns it and only a group reads it
   * (be-secure-common.c, check_ssl_key_file_permissions).
   */
  writeKeyFor(owner: { uid: number; gid: number }, certificate?: Certificate): Promise<string>
  remove(): Promise<void>
}

const CONFIG = `
[req]
distinguished_name = name
prompt = no
x509_extensions = root
[name]
CN = nullpool test
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[ca]
default_ca = tests
[tests]
database = database
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
unique_subject = no
email_in_dn = no
[any]
commonName = supplied
`

/** Extensions that every TLS library of the runtimes accepts in a server's certificate. */
function extensions(names: readonly string[], root: string): string {
  return [
    '[server]',
    'basicConstraints = critical, CA:FALSE',
    'keyUsage = critical, digitalSignature',
    'extendedKeyUsage = serverAuth',
    'subjectKeyIdentifier = hash',
    // Without it a client has to look at the signature itself.
    `authorityKeyIdentifier = ${root === 'ca' ? 'keyid' : 'none'}`,
    `subjectAltName = ${names.join(', ')}`,
  ].join('\n')
}

/** As Supabase's own root certificate spells it. */
const SUPABASE_AUTHORITY = '/C=US/ST=Delware/L=New Castle/O=Supabase Inc/CN=Supabase Root 2021 CA'

const LOCAL = ['DNS:localhost', 'IP:127.0.0.1']
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
const execute = promisify(execFile)

class Authority {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  file(name: string): string {
    return join(this.#folder, name)
  }

  async prepare(): Promise<void> {
    await writeFile(this.file('openssl.cnf'), CONFIG)
    await writeFile(this.file('database'), '')
    await writeFile(this.file('serial'), '1000\n')
  }

  async root(
    name: string,
    subjectName: string,
    newKey: readonly string[] = NEW_KEY,
  ): Promise<{ file: string; pem: string }> {
    const keyAndCert = ['-keyout', `${name}.key`, '-out', `${name}.crt`]
    const subject = ['-subj', subjectName, '-days', '30']
    await this.#openssl('req', '-x509', ...newKey, ...keyAndCert, ...subject)
    const file = this.file(`${name}.crt`)
    return { file, pem: await readFile(file, 'utf8') }
  }

  /** `openssl ca` and not `openssl x509`: it takes dates in the past in every version. */
  async sign(
    name: string,
    names: readonly string[],
    dates: readonly string[],
    root = 'ca',
  ): Promise<Certificate> {
    const [keyFile, certFile] = [this.file(`${name}.key`), this.file(`${name}.crt`)]
    await writeFile(this.file(`${name}.ext`), extensions(names, root))
    const subject = ['-subj', `/CN=${name}`]
    await this.#openssl(
      'req',
      '-new',
      ...NEW_KEY,
      '-keyout',
      keyFile,
      '-out',
      `${name}.csr`,
      ...subject,
    )
    await this.#openssl(
      ...['ca', '-batch', '-notext', '-cert', `${root}.crt`, '-keyfile', `${root}.key`],
      ...['-extfile', `${name}.ext`, '-extensions', 'server', ...dates],
      ...['-in', `${name}.csr`, '-out', certFile],
    )
    await chmod(keyFile, 0o644)
    const [cert, key] = [await readFile(certFile, 'utf8'), await readFile(keyFile, 'utf8')]
    return { certFile, keyFile, cert, key }
  }

  async #openssl(command: string, ...parameters: readonly string[]): Promise<void> {
    const all = [command, '-config', 'openssl.cnf', ...parameters]
    try {
      await execute('openssl', all, { cwd: this.#folder })
    } catch (cause) {
      const isAbsent = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
      if (!isAbsent) throw cause
      throw new Error(
        'The tests with TLS need the program openssl. Install the Debian package "openssl".',
        { cause },
      )
    }
  }
}

/** Makes a new CA and its certificates in a temporary folder. */
export async function makeCertificates(): Promise<Certificates> {
  const folder = await mkdtemp(join(tmpdir(), 'nullpool-certificates-'))
  // mkdtemp makes it 0700; the servers run as other users. The keys protect nothing.
  await chmod(folder, 0o755)
  const authority = new Authority(folder)
  await authority.prepare()
  const ca = await authority.root('ca', '/CN=nullpool test CA')
  const otherCa = await authority.root('other-ca', '/CN=nullpool other CA')
  // Of the same kind, or nobody would ask whose signature it is.
  await authority.root('impostor-ca', SUPABASE_AUTHORITY, ['-newkey', 'rsa:2048', '-nodes'])
  const valid = ['-days', '30']
  const past = ['-startdate', '20200101000000Z', '-enddate', '20200201000000Z']
  const future = ['-startdate', '20480101000000Z', '-enddate', '20490101000000Z']
  // One after the other: `openssl ca` keeps its serial number in a file.
  const server = await authority.sign('server', [...LOCAL, `DNS:${SUPABASE_HOST}`], valid)
  const expired = await authority.sign('expired', LOCAL, past)
  const early = await authority.sign('early', LOCAL, future)
  const otherName = await authority.sign('other-name', ['DNS:other.example'], valid)
  const impostorNames = [...LOCAL, `DNS:${SUPABASE_HOST}`]
  const impostor = await authority.sign('impostor', impostorNames, valid, 'impostor-ca')
  return {
    folder,
    ca,
    otherCa,
    server,
    expired,
    early,
    otherName,
    impostor,
    async writeKeyFor({ uid, gid }, certificate = server) {
      const file = `${certificate.keyFile}.${uid}`
      await writeFile(file, certificate.key, { mode: 0o600 })
      await chown(file, uid, gid)
      return file
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
