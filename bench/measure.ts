import type { Client } from './clients.ts'

/** What one client did in all rounds: its rate and its CPU time, relative to others' of the same round. */
export interface Comparison {
  name: Client['name']
  /** Work per second, as a multiple of our own; the median of the rounds. */
  rate: number
  /** CPU time of this process per piece of work, as a multiple of our own. */
  cpu: number
}

interface Sample {
  seconds: number
  cpuSeconds: number
}

async function sample(work: () => Promise<void>): Promise<Sample> {
  const cpu = process.cpuUsage()
  const startedAt = performance.now()
  await work()
  const seconds = (performance.now() - startedAt) / 1_000
  const { user, system } = process.cpuUsage(cpu)
  return { seconds, cpuSeconds: (user + system) / 1e6 }
}

function median(values: number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/**
 * Runs the same work on every client, by turns and in changing order, so that a noisy machine is as
 * noisy for all of them.
 */
export async function compare(
  clients: readonly Client[],
  rounds: number,
  work: (client: Client) => Promise<void>,
): Promise<Comparison[]> {
  for (const client of clients) await work(client)
  const samples = clients.map((): Sample[] => [])
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < clients.length; turn += 1) {
      const at = (round + turn) % clients.length
      const client = clients[at]
      if (client) samples[at]?.push(await sample(() => work(client)))
    }
  }
  const [ours = []] = samples
  return clients.map(({ name }, at) => {
    const pairs = (samples[at] ?? []).map(
      (theirs, round) => [ours[round] ?? theirs, theirs] as const,
    )
    return {
      name,
      rate: median(pairs.map(([own, theirs]) => own.seconds / theirs.seconds)),
      cpu: median(pairs.map(([own, theirs]) => theirs.cpuSeconds / own.cpuSeconds)),
    }
  })
}
