import { type LookupAddress, promises } from 'node:dns'
import { isIP } from 'node:net'
import { bounded, codeOf, since } from './bounded.ts'
import { type Examination, found, type HostAddress } from './examination.ts'
import type { Note, Outcome } from './report.ts'

/** No host of a database has more that are worth trying. */
const MOST_ADDRESSES = 16

/** What a look-up gave: addresses, or why there are none. */
interface Answer {
  addresses: HostAddress[]
  failure?: string
}

/** A and AAAA of the host, from the machine's resolver or from the one that was named. */
export async function dns(examination: Examination): Promise<Outcome> {
  const { host, provider } = found(examination.target)
  const { resolver, timeoutMs } = examination.options
  const family = isIP(host)
  if (family === 4 || family === 6) {
    examination.addresses = [{ address: host, family }]
    const summary = `${host} is an address already.`
    return { summary, skipped: true, data: { a: [], aaaa: [], resolver: null } }
  }
  const start = performance.now()
  const answer = resolver
    ? await askResolver(host, resolver, timeoutMs)
    : await askMachine(host, timeoutMs)
  const addresses = answer.addresses.slice(0, MOST_ADDRESSES)
  examination.addresses = addresses
  const [a, aaaa] = [ofFamily(addresses, 4), ofFamily(addresses, 6)]
  const data = { a, aaaa, resolver: resolver ?? null, lookupMs: since(start) }
  if (addresses.length === 0) {
    return { summary: '', notes: [nameNote(host, provider, answer)], data, stops: true }
  }
  const parts = [
    a.length ? `A ${a.join(', ')}` : 'no A',
    aaaa.length ? `AAAA ${aaaa.join(', ')}` : 'no AAAA',
  ]
  const notes = a.length === 0 ? [onlyIpv6(host)] : []
  return { summary: `${host}: ${parts.join('; ')}.`, notes, data }
}

function ofFamily(addresses: readonly HostAddress[], family: 4 | 6): string[] {
  return addresses.filter((one) => one.family === family).map(({ address }) => address)
}

/** What every program of this machine gets, `/etc/hosts` included. */
async function askMachine(host: string, timeoutMs: number): Promise<Answer> {
  try {
    const all = await bounded(promises.lookup(host, { all: true, order: 'verbatim' }), timeoutMs)
    return {
      addresses: all.map(({ address, family }: LookupAddress) => ({
        address,
        family: family === 6 ? 6 : 4,
      })),
    }
  } catch (error) {
    return { addresses: [], failure: codeOf(error) }
  }
}

async function askResolver(host: string, server: string, timeoutMs: number): Promise<Answer> {
  const resolver = new promises.Resolver({ timeout: timeoutMs, tries: 1 })
  resolver.setServers([server])
  const asked = [resolver.resolve4(host), resolver.resolve6(host)] as const
  const [a, aaaa] = await Promise.allSettled(asked.map((one) => bounded(one, timeoutMs + 500)))
  const addresses: HostAddress[] = []
  if (a?.status === 'fulfilled')
    addresses.push(...a.value.map((address) => ({ address, family: 4 as const })))
  if (aaaa?.status === 'fulfilled')
    addresses.push(...aaaa.value.map((address) => ({ address, family: 6 as const })))
  const failure = a?.status === 'rejected' ? codeOf(a.reason) : 'ENODATA'
  return addresses.length > 0 ? { addresses } : { addresses, failure }
}

function nameNote(host: string, provider: string, { failure = 'ENODATA' }: Answer): Note {
  const removed = provider.startsWith('supabase')
    ? 'Copy the host again from the dashboard (Connect): the host of a removed or paused project disappears, and aws-0, aws-1, … cannot be guessed.'
    : 'Copy the host again from where the database is run; look for a typing mistake.'
  if (failure === 'ENOTFOUND' || failure === 'ENODATA') {
    const what = failure === 'ENODATA' ? 'has no A and no AAAA record' : 'does not exist in DNS'
    return {
      level: 'error',
      code: 'ERR_CONNECT_NAME',
      message: `The host ${host} ${what}.`,
      fix: removed,
    }
  }
  return {
    level: 'error',
    code: 'dns-unanswered',
    message: `The host ${host} was not resolved: no DNS server answered (${failure}).`,
    fix: `Look at this machine’s network and DNS; --resolver 1.1.1.1 asks another server. ${removed}`,
  }
}

function onlyIpv6(host: string): Note {
  return {
    level: 'warning',
    code: 'ipv6-only',
    message: `${host} has IPv6 addresses only, which Supabase Edge Functions, Vercel and many networks cannot reach.`,
    fix: 'Use a pooler that has IPv4 (on Supabase the shared pooler, or the IPv4 add-on).',
  }
}
