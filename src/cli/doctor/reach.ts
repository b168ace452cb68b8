import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { formatAddress } from '../../wire/format-address.ts'
import { codeOf, since } from './bounded.ts'
import { type Examination, found, type HostAddress } from './examination.ts'
import type { Note, Outcome } from './report.ts'

/** The ports that databases and poolers usually have. */
const USUAL_PORTS = [6543, 5432]

/** What became of a TCP connection to one address. */
interface Attempt extends HostAddress {
  ms: number
  /** Node’s code, where it failed. */
  failure?: string
}

/** TCP to every address at once, each closed again. IPv4 and IPv6 are told apart. */
export async function reach(examination: Examination): Promise<Outcome> {
  const { host, port } = found(examination.target)
  const { timeoutMs } = examination.options
  const addresses = found(examination.addresses)
  const attempts = await Promise.all(addresses.map((one) => attempt(one, port, timeoutMs)))
  const reached = attempts.filter(({ failure }) => failure === undefined)
  const data = { port, attempts: attempts.map(toData), machineHasIpv6: machineHasIpv6() }
  // IPv4 first, as Happy Eyeballs would end where both answer and one is broken behind the door.
  const first = reached.find(({ family }) => family === 4) ?? reached[0]
  if (first === undefined) {
    const open = await openPorts(addresses, port, timeoutMs)
    const note = unreached({ host, port, attempts, open })
    return { summary: '', notes: [note], data: { ...data, openPorts: open }, stops: true }
  }
  examination.address = { address: first.address, family: first.family }
  const parts = attempts.map(({ address, failure, ms }) =>
    failure ? `${address} ${failure}` : `${address} in ${ms} ms`,
  )
  return { summary: `TCP port ${port}: ${parts.join('; ')}.`, notes: partly(attempts), data }
}

async function attempt(to: HostAddress, port: number, timeoutMs: number): Promise<Attempt> {
  const start = performance.now()
  const failure = await new Promise<string | undefined>((resolve) => {
    const socket = connect({ host: to.address, port, timeout: timeoutMs })
    const end = (code?: string): void => {
      socket.destroy()
      resolve(code)
    }
    socket.once('connect', () => end())
    socket.once('timeout', () => end('ETIMEDOUT'))
    socket.once('error', (error) => end(codeOf(error)))
  })
  return { ...to, ms: since(start), ...(failure === undefined ? {} : { failure }) }
}

/** Of the usual ports, those that answer in the place of the one that does not. */
async function openPorts(
  addresses: readonly HostAddress[],
  port: number,
  timeoutMs: number,
): Promise<number[]> {
  const [first] = addresses
  if (first === undefined) return []
  const others = USUAL_PORTS.filter((other) => other !== port)
  const tried = await Promise.all(
    others.map((other) => attempt(first, other, Math.min(timeoutMs, 2_000))),
  )
  return others.filter((_, index) => tried[index]?.failure === undefined)
}

/** Whether an interface has an IPv6 address that leads beyond the wire at hand. */
function machineHasIpv6(): boolean {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .some(
      ({ family, internal, address }) => family === 'IPv6' && !internal && !/^fe80:/i.test(address),
    )
}

interface Unreached {
  host: string
  port: number
  attempts: readonly Attempt[]
  open: readonly number[]
}

function unreached({ host, port, attempts, open }: Unreached): Note {
  const codes = attempts.map(({ failure }) => failure)
  const at = formatAddress({ host, port })
  const elsewhere =
    open.length > 0 ? ` Port ${open.join(' and ')} of the same host does answer.` : ''
  if (codes.includes('ECONNREFUSED')) {
    return {
      level: 'error',
      code: 'ERR_CONNECT_REFUSED',
      message: `Nothing accepts connections at ${at}: wrong port, or the server is down.${elsewhere}`,
      fix:
        open.length > 0
          ? `Change the port to ${open[0]}.`
          : 'Check the port: a transaction-mode pooler usually listens on 6543, Postgres on 5432.',
    }
  }
  if (attempts.every(({ family }) => family === 6)) return ipv6Note(at, codes[0] ?? 'unknown')
  return {
    level: 'error',
    code: codes.includes('ETIMEDOUT') ? 'ERR_CONNECT_TIMEOUT' : 'ERR_CONNECT_UNREACHABLE',
    message: `${at} does not answer (${[...new Set(codes)].join(', ')}): wrong port, or a firewall or network restriction drops what comes from here.${elsewhere}`,
    fix:
      open.length > 0
        ? `Change the port to ${open[0]}.`
        : 'Check the port, the firewall and the network restrictions of the project.',
  }
}

function ipv6Note(at: string, code: string): Note {
  const why = machineHasIpv6()
    ? `and they were not reached over this machine’s IPv6 (${code})`
    : `and this machine has no IPv6 (${code})`
  return {
    level: 'error',
    code: 'ipv6-unreachable',
    message: `${at} has IPv6 addresses only, ${why}.`,
    fix: 'Use a pooler that has IPv4: on Supabase the shared pooler (aws-…pooler.supabase.com, port 6543), or buy the IPv4 add-on.',
  }
}

/** One family of the two does not answer. */
function partly(attempts: readonly Attempt[]): Note[] {
  const failed = attempts.filter(({ failure }) => failure !== undefined)
  if (failed.length === 0) return []
  const [first] = failed
  const ipv6Alone = failed.every(({ family }) => family === 6)
  return [
    {
      // Whoever has IPv4 does not need the other; a dead IPv4 address costs every client a time-out.
      level: ipv6Alone ? 'info' : 'warning',
      code: ipv6Alone ? 'ipv6-not-reached' : 'address-not-reached',
      message: `${failed.map(({ address }) => address).join(', ')} did not answer (${first?.failure}).`,
      fix: ipv6Alone
        ? 'Nothing, as long as IPv4 answers.'
        : 'Remove the address from DNS, or start what should listen there.',
    },
  ]
}

function toData({ address, family, ms, failure }: Attempt): Record<string, unknown> {
  return { address, family, ms, failure: failure ?? null }
}
