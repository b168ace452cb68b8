// By namespace: before 22.15 there is no getCACertificates, and naming it would be an error.
import * as tls from 'node:tls'
import { authorityOf } from '../../transports/supabase-authority.ts'
import type { DenoCertificate } from './deno-certificate.ts'
import { type Inspection, inspectTls, type TlsAnswer } from './tls-inspection.ts'

/** What a server presents, and for each runtime why nullpool there would refuse it, if it would. */
export interface Trust {
  answer: TlsAnswer
  node: string | undefined
  deno: string | undefined
  workers: string | undefined
  /** Of this environment, where it is set. */
  denoCertificate: DenoCertificate | undefined
}

/**
 * Who trusts the certificate, with nullpool's own transports of each runtime.
 *
 * Workers know public authorities, for which Node's bundled list (Mozilla's) stands. Deno has the same list;
 * its transport adds Supabase's root, as Node's does, and `tls: { ca }`. `NODE_EXTRA_CA_CERTS` counts in Node
 * alone, `DENO_CERT` in Deno. What this machine cannot see, such as these of another, is not counted.
 *
 * @see https://docs.deno.com/runtime/reference/env_variables/
 */
export async function trustOf(
  inspection: Inspection,
  ca: string | undefined,
  denoCertificate: DenoCertificate | undefined,
): Promise<Trust> {
  const bundled = [...tls.rootCertificates]
  const authority = authorityOf(inspection.serverName)
  const given = ca === undefined ? undefined : [ca]
  const supabase = authority === undefined ? [] : [authority]
  const ours = given ?? [...knownRoots(), ...supabase]
  const answer = await inspectTls(inspection, ours)
  const elsewhere = new Map<string, Promise<string | undefined>>([
    [key(ours), Promise.resolve(answer.refusal)],
  ])
  const refusal = (roots: readonly string[]): Promise<string | undefined> => {
    const known =
      elsewhere.get(key(roots)) ?? inspectTls(inspection, roots).then((one) => one.refusal)
    elsewhere.set(key(roots), known)
    return known
  }
  return {
    answer,
    node: answer.refusal,
    deno: await refusal(given ?? [...bundled, ...supabase, ...(denoCertificate?.roots ?? [])]),
    workers: await refusal(bundled),
    denoCertificate,
  }
}

/** Before 22.15 Node does not tell what `NODE_EXTRA_CA_CERTS` and the system have added. */
function knownRoots(): readonly string[] {
  return tls.getCACertificates?.('default') ?? tls.rootCertificates
}

function key(roots: readonly string[]): string {
  return roots.join('')
}
