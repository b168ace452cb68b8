import { chooseProfile } from '../../connection-plan.ts'
import { tenths } from './bounded.ts'
import { type Examination, found } from './examination.ts'
import type { Outcome } from './report.ts'
import { type ProfileName, ROUND_TRIPS, TCP_TRIPS } from './round-trip-figures.ts'

/** An odd number, so that the median was measured. */
const SAMPLES = 9

/** What one profile costs here. */
export interface ProfileCost {
  profile: ProfileName
  /** Whether the server at hand takes it, as far as is known. */
  applies: boolean
  /** Up to the first row of a parameterised query on a new connection, TCP's trip among them. */
  coldRoundTrips: number
  /** Each query behind it. */
  warmRoundTrips: number
  expectedColdMs: number
  expectedWarmMs: number
}

/** The round trip to the database and back, and what a request costs by it. */
export async function measure(examination: Examination): Promise<Outcome> {
  const session = found(examination.session)
  const samples: number[] = []
  for (let index = 0; index < SAMPLES; index++) {
    const start = performance.now()
    await session.query('select 1')
    samples.push(performance.now() - start)
  }
  samples.sort((left, right) => left - right)
  const medianMs = tenths(samples[(SAMPLES - 1) / 2] ?? 0)
  examination.roundTripMs = medianMs
  const profiles = costs(examination, medianMs)
  const used = profileInUse(examination)
  const cost = profiles.find(({ profile }) => profile === used)
  return {
    summary: `A round trip takes ${medianMs} ms; a cold request with one query about ${cost?.expectedColdMs ?? '?'} ms (${cost?.coldRoundTrips ?? '?'} trips, ${used}).`,
    data: {
      roundTripMs: {
        median: medianMs,
        min: tenths(samples[0] ?? 0),
        max: tenths(samples.at(-1) ?? 0),
      },
      samples: SAMPLES,
      profileInUse: used,
      profiles,
    },
  }
}

/** What nullpool takes for this string while the option `pooler` is left out. */
function profileInUse({ target }: Examination): ProfileName {
  return chooseProfile('auto', found(target)).name
}

function costs(examination: Examination, roundTripMs: number): ProfileCost[] {
  const figures = ROUND_TRIPS[examination.tls === undefined ? 'clear' : 'tls']
  const cold = Object.entries(figures['cold, a parameterised query']) as [ProfileName, number][]
  return cold.map(([profile, trips]) => {
    const warmRoundTrips = figures['a parameterised query'][profile] ?? 1
    const coldRoundTrips = trips + TCP_TRIPS
    return {
      profile,
      applies: applies(profile, examination),
      coldRoundTrips,
      warmRoundTrips,
      expectedColdMs: tenths(coldRoundTrips * roundTripMs),
      expectedWarmMs: tenths(warmRoundTrips * roundTripMs),
    }
  })
}

/** Which versions of PgBouncer take TLS unasked cannot be told from outside. */
function applies(profile: ProfileName, { pooler, target, session }: Examination): boolean {
  if (profile === 'universal') return true
  if (profile === 'hyperdrive') return pooler === 'hyperdrive'
  // Begun before the server asks: right only where it asks for SCRAM.
  if (session?.method !== 'scram-sha-256') return false
  if (profile === 'pipelined') return pooler === 'pgbouncer' || pooler === 'none'
  const { provider, sslNegotiation } = found(target)
  const version = Number.parseInt(session.parameters.get('server_version') ?? '', 10)
  if (pooler === 'none' && version >= 17) return true
  if (provider === 'neon-pooler' || provider === 'neon-direct') return true
  return sslNegotiation === 'direct'
}
