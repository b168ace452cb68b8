import { chooseTls } from '../../connection-plan.ts'
import { NullpoolError } from '../../errors.ts'
import { formatAddress } from '../../wire/format-address.ts'
import { codeOf, TooLong } from './bounded.ts'
import { type DenoCertificate, denoCertificate } from './deno-certificate.ts'
import { type Examination, found } from './examination.ts'
import type { Note, Outcome } from './report.ts'
import { TlsFirst, tlsFirstNote } from './tls-first.ts'
import { type Inspection, inspectTls, type TlsAnswer } from './tls-inspection.ts'
import { type Trust, trustOf } from './trust.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Certificates are renewed in the last weeks; what is left then is a finding. */
const RENEW_WITHIN_DAYS = 14
const DAY_MS = 86_400_000

/**
 * The answer to the request for TLS, the chain with issuer and expiry, and who would trust it.
 *
 * The connection is given up behind the handshake: no credentials are on it, so looking at a certificate
 * that nobody trusts gives nothing away.
 */
export async function tls(examination: Examination): Promise<Outcome> {
  const target = found(examination.target)
  const { ca, serverName, timeoutMs, environment } = examination.options
  const asked =
    ca === undefined && serverName === undefined
      ? undefined
      : {
          ...(ca === undefined ? {} : { ca }),
          ...(serverName === undefined ? {} : { serverName }),
        }
  const wanted = chooseTls(asked, target)
  if (wanted === undefined) return inClear(target.sslMode === 'disable')
  const name = serverName ?? target.host
  examination.tls = { ...wanted, serverName: name }
  const inspection: Inspection = {
    address: found(examination.address).address,
    port: target.port,
    serverName: name,
    direct: target.sslNegotiation === 'direct',
    timeoutMs,
  }
  const trust = await trustOf(inspection, ca, await denoCertificate(environment)).catch(
    (error: unknown) => brokenOff(error, inspection, examination),
  )
  if ('level' in trust) return { summary: trust.message, notes: [trust], stops: true }
  const { answer } = trust
  return {
    summary: `${answer.protocol}, ${chainText(answer)}; trusted by ${trustedBy(trust)}.`,
    notes: notesOf(trust, name, environment),
    data: toData(trust, name),
    stops: trust.node !== undefined,
  }
}

/** No certificate was seen: silence, or a handshake that ended. */
async function brokenOff(
  error: unknown,
  inspection: Inspection,
  { target, options }: Examination,
): Promise<Note> {
  if (NullpoolError.is(error)) throw error
  const at = formatAddress(found(target))
  if (error instanceof TooLong) {
    return {
      level: 'error',
      code: 'tls-unanswered',
      message: `${at} accepts connections and does not answer the request for TLS within ${options.timeoutMs} ms: something else than Postgres listens there, or a firewall holds it back.`,
      fix: 'Check host and port of the connection string.',
    }
  }
  if (error instanceof TlsFirst) {
    if (error.sign === 'alert' || (await takesDirectTls(inspection))) return tlsFirstNote(at)
    return {
      level: 'error',
      code: 'ERR_CONNECTION_LOST',
      message: `${at} ended the connection at the request for TLS.`,
      fix: 'A pooler that is full or restarting does this, and so does a port that is not Postgres: look at the server’s log, and check the port.',
    }
  }
  const isDirect = found(target).sslNegotiation === 'direct'
  return {
    level: 'error',
    code: 'ERR_TLS_FAILED',
    message: `The TLS handshake with ${at} failed (${codeOf(error)}).`,
    fix: isDirect
      ? 'Direct TLS needs Postgres 17, PgBouncer 1.25 or Neon: remove sslnegotiation=direct from the connection string.'
      : 'Look at the server’s log: its TLS version or key may be too old.',
  }
}

/** Looked at as at any certificate: with nothing sent behind the handshake. */
async function takesDirectTls(inspection: Inspection): Promise<boolean> {
  return await inspectTls({ ...inspection, direct: true }, []).then(
    () => true,
    () => false,
  )
}

function inClear(byName: boolean): Outcome {
  const why = byName ? 'sslmode=disable says so' : 'the host is this machine'
  return { summary: `In clear, because ${why}.`, skipped: true, data: { protected: false } }
}

function chainText({ chain }: TlsAnswer): string {
  const [leaf] = chain
  if (!leaf) return 'no certificate'
  return `certificate of ${leaf.subject} by ${leaf.issuer}, until ${leaf.validTo.slice(0, 10)}`
}

function trustedBy(trust: Trust): string {
  const runtimes = (['node', 'deno', 'workers'] as const).filter(
    (name) => trust[name] === undefined,
  )
  return runtimes.length > 0 ? runtimes.join(', ') : 'nobody'
}

function notesOf(trust: Trust, name: string, environment: Environment): Note[] {
  if (trust.node !== undefined) return [untrusted(trust.node, trust.answer, name, environment)]
  return [...expiresSoon(trust.answer), ...elsewhere(trust)]
}

/** What OpenSSL says, in the words of who has to act. */
function untrusted(
  code: string,
  { chain, ...answer }: TlsAnswer,
  name: string,
  environment: Environment,
): Note {
  const [leaf] = chain
  const level = 'error'
  const expired = chain.find(({ validTo }) => Date.parse(validTo) < Date.now())
  if (code === 'CERT_HAS_EXPIRED' || expired) {
    return {
      level,
      code: 'certificate-expired',
      message: `The certificate of ${expired?.subject ?? name} expired on ${(expired ?? leaf)?.validTo.slice(0, 10)}.`,
      fix: 'Renew it at the server; no option of a client makes it valid.',
    }
  }
  if (code === 'CERT_NOT_YET_VALID') {
    return {
      level,
      code: 'certificate-not-yet-valid',
      message: `The certificate is valid from ${leaf?.validFrom.slice(0, 10)} on.`,
      fix: 'Look at the clock of this machine.',
    }
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return {
      level,
      code: 'certificate-other-name',
      message: `The certificate is not made out to ${name}, but to ${answer.names || leaf?.subject}.`,
      fix: 'Use that name as the host, or give it as tls: { serverName } (here --server-name).',
    }
  }
  return {
    level,
    code: 'certificate-private',
    message: `The certificate comes from ${chain.at(-1)?.issuer ?? 'an authority'}, which is not trusted here (${code}).`,
    fix: `Pass the root certificate of that authority as tls: { ca } (here --ca root.pem), or ${givenBy(environment)}.`,
  }
}

/** A variable that is there already names a file that lacks it. */
function givenBy({ NODE_EXTRA_CA_CERTS: node, DENO_CERT: deno }: Environment): string {
  const toNode = node
    ? 'put it into the file of NODE_EXTRA_CA_CERTS'
    : 'give it to Node as NODE_EXTRA_CA_CERTS'
  if (deno) return `${toNode}, and into that of DENO_CERT`
  return node ? `${toNode}, and give it to Deno as DENO_CERT` : `${toNode} and to Deno as DENO_CERT`
}

function expiresSoon({ chain }: TlsAnswer): Note[] {
  const due = chain.find(
    ({ validTo }) => Date.parse(validTo) < Date.now() + RENEW_WITHIN_DAYS * DAY_MS,
  )
  if (!due) return []
  const days = Math.floor((Date.parse(due.validTo) - Date.now()) / DAY_MS)
  return [
    {
      level: 'warning',
      code: 'certificate-expires',
      message: `The certificate of ${due.subject} expires in ${days} days, on ${due.validTo.slice(0, 10)}.`,
      fix: 'Renew it at the server.',
    },
  ]
}

function elsewhere({ deno, workers, denoCertificate }: Trust): Note[] {
  const notes: Note[] = []
  if (deno !== undefined) {
    notes.push(untrustedByDeno(deno, denoCertificate))
  }
  if (workers !== undefined) {
    notes.push({
      level: 'warning',
      code: 'workers-untrusted',
      message: `Cloudflare Workers would not trust it (${workers}): they know public authorities only and cannot be given another.`,
      fix: 'On Workers connect through Hyperdrive with the root certificate uploaded (npx wrangler cert upload certificate-authority). Elsewhere this is of no matter.',
    })
  }
  return notes
}

function untrustedByDeno(code: string, certificate: DenoCertificate | undefined): Note {
  const note = { level: 'info', code: 'deno-untrusted' } as const
  if (certificate === undefined) {
    return {
      ...note,
      message: `Deno would not trust it by itself (${code}).`,
      fix: 'Pass tls: { ca } there too, or set DENO_CERT to the root certificate.',
    }
  }
  const { file, failure } = certificate
  const why =
    failure === undefined
      ? `${file} does not hold its authority`
      : `the file cannot be read (${failure})`
  return {
    ...note,
    message: `Deno would not trust it (${code}): DENO_CERT is set, and ${why}.`,
    fix: 'Pass tls: { ca } there too, or put the root certificate into that file.',
  }
}

function toData(
  { answer, node, deno, workers }: Trust,
  serverName: string,
): Record<string, unknown> {
  return {
    protected: true,
    serverName,
    protocol: answer.protocol,
    cipher: answer.cipher,
    chain: answer.chain,
    names: answer.names,
    trust: { node: node ?? null, deno: deno ?? null, workers: workers ?? null },
    tcpMs: answer.tcpMs,
    requestMs: answer.requestMs,
    handshakeMs: answer.handshakeMs,
  }
}
