import type { ProfileCost } from './measure.ts'
import type { StepReport } from './report.ts'
import type { Connections, TimeoutSetting } from './server-facts.ts'
import type { ChainLink } from './tls-inspection.ts'

/** More are in the JSON. */
const MOST_LINES = 6

/** What a step has seen, for whoever reads on behind the verdict. */
export function detailsOf({ step, data }: StepReport): string[] {
  if (step === 'tls')
    return tlsDetails(data as { chain?: ChainLink[]; trust?: Record<string, string | null> })
  if (step === 'mode') return modeDetails(data)
  if (step === 'server') return serverDetails(data as unknown as ServerData)
  if (step === 'measure')
    return costDetails((data.profiles ?? []) as ProfileCost[], String(data.profileInUse))
  return []
}

function tlsDetails({
  chain = [],
  trust = {},
}: {
  chain?: ChainLink[]
  trust?: Record<string, string | null>
}): string[] {
  const links = chain.map(
    ({ subject, issuer, validTo }) => `${subject}, by ${issuer}, until ${validTo.slice(0, 10)}`,
  )
  const trusts = Object.entries(trust).map(
    ([runtime, refusal]) => `${runtime} ${refusal === null ? 'yes' : `no (${refusal})`}`,
  )
  return trusts.length > 0 ? [...links, `Trusted by: ${trusts.join(', ')}`] : links
}

function modeDetails({ preparedStatements, listen, evidence }: StepReport['data']): string[] {
  if (preparedStatements === undefined) return []
  return [
    `Seen by: ${evidence}`,
    `Named prepared statements: ${preparedStatements}; LISTEN: ${listen ? 'works' : 'no'}`,
  ]
}

interface ServerData {
  maxConnections?: number
  reservedConnections?: number
  connections?: Connections
  timeouts?: TimeoutSetting[]
  extensions?: { name: string; version: string }[]
}

function serverDetails({
  maxConnections,
  reservedConnections,
  connections,
  timeouts = [],
  extensions = [],
}: ServerData): string[] {
  if (!connections) return []
  const lines = [`max_connections ${maxConnections}, of which ${reservedConnections} are reserved`]
  for (const { user, application, database, count } of connections.by.slice(0, MOST_LINES)) {
    lines.push(
      `${count} × ${user} in ${database || 'no database'}${application ? `, ${application}` : ''}`,
    )
  }
  const more = connections.by.length - MOST_LINES
  if (more > 0) lines.push(`and ${more} more kinds of clients`)
  for (const { role, database, setting, value } of timeouts) {
    lines.push(
      `${setting} = ${value} for ${[role, database].filter(Boolean).join(' in ') || 'everybody'}`,
    )
  }
  if (extensions.length > 0) {
    lines.push(
      `Extensions: ${extensions.map(({ name, version }) => `${name} ${version}`).join(', ')}`,
    )
  }
  return lines
}

function costDetails(profiles: readonly ProfileCost[], used: string): string[] {
  return profiles.map(
    ({ profile, applies, coldRoundTrips, warmRoundTrips, expectedColdMs, expectedWarmMs }) => {
      const state =
        profile === used ? ', in use' : applies ? ', possible here' : ', not known to work here'
      return `${profile}: cold ${coldRoundTrips} trips, about ${expectedColdMs} ms; then ${warmRoundTrips} a query, about ${expectedWarmMs} ms${state}`
    },
  )
}
