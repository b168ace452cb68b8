import { describe, expect, it, vi } from 'vitest'
import { NullpoolError } from '../../../src/errors.ts'
import { type Profile, pipelined, universal } from '../../../src/wire/profile.ts'
import type { Setting } from '../../../src/wire/prologue.ts'
import { MemoryBackend } from '../../support/memory-backend.ts'
import { memoryWire, PASSWORD } from '../../support/memory-driver.ts'
import { type MemoryPeer, rest } from '../../support/memory-server.ts'
import { scramSecret } from '../../support/scram-server.ts'
import { clientOf, SCENARIOS } from '../../support/wire-tasks.ts'

const RUNS = 10_000
const AT_ONCE = 50

/** Also without a password, which Postgres may do for hosts that it trusts. */
const together: Profile = { ...universal, concurrency: 100 }

const PROFILES = [universal, together, pipelined]

const SECRET = scramSecret(PASSWORD)

const SETTINGS: readonly Setting[] = [['role', 'anon']]

/** Mulberry32: the same numbers for the same seed, everywhere. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

type Damage = 'none' | 'corruption' | 'disconnection'

/** Splits and merges what the server says, and harms it somewhere. */
function harm(peer: MemoryPeer, damage: Damage, random: () => number): void {
  const send = peer.send.bind(peer)
  const at = Math.floor(random() ** 2 * 1_500)
  let said = 0
  let gone = false
  peer.send = (...messages) => {
    if (gone) return
    const bytes = Buffer.from(Buffer.concat(messages))
    const place = at - said
    said += bytes.length
    const isHere = damage !== 'none' && place >= 0 && place < bytes.length
    if (isHere && damage === 'corruption') bytes[place] = Math.floor(random() * 256)
    const kept = isHere && damage === 'disconnection' ? bytes.subarray(0, place) : bytes
    for (let start = 0; start < kept.length; ) {
      const end = start + 1 + Math.floor(random() * (random() < 0.5 ? 4 : kept.length))
      send(kept.subarray(start, end))
      start = end
    }
    gone = isHere && damage === 'disconnection'
    if (gone) peer.finish(random() < 0.5 ? undefined : new Error('ECONNRESET'))
  }
}

/** A task that failed otherwise than by the loss of its connection, such as with the rows of another. */
function isUnexplained(result: unknown): boolean {
  return result !== 'fulfilled' && !NullpoolError.is(result)
}

function over(): NullpoolError {
  return new NullpoolError('ERR_SCOPE_CLOSED', 'The request is over.')
}

/** What became of the tasks of one run; `'pending'` is a hang. */
async function run(seed: number): Promise<{ damage: Damage; results: unknown[] }> {
  const random = randomOf(seed)
  const damage =
    (['none', 'corruption', 'disconnection'] as const)[Math.floor(random() * 3)] ?? 'none'
  const [, make] = SCENARIOS[Math.floor(random() * SCENARIOS.length)] ?? SCENARIOS[0] ?? []
  const tasks = make?.() ?? []
  // A length that was harmed makes everybody wait: a deadline has to end that. What a harmed server
  // has taught is believed, at the same address, until it is asked again.
  const limits =
    damage === 'corruption' ? { port: 6666, connectTimeoutMs: 40, queryTimeoutMs: 40 } : {}
  const profile = PROFILES[Math.floor(random() * PROFILES.length)] ?? universal
  const wire = memoryWire({
    profile,
    ...{ connectTimeoutMs: 20_000, queryTimeoutMs: 20_000, closeTimeoutMs: 10 },
    ...limits,
  })
  const sql = clientOf(wire, random() < 0.5 ? SETTINGS : [])
  const results: unknown[] = tasks.map(() => 'pending')
  const running = tasks.map((task, at) =>
    task.run(sql).then(
      () => {
        results[at] = 'fulfilled'
      },
      (error: unknown) => {
        results[at] = error
      },
    ),
  )
  // On a busy machine a short deadline may pass before anybody has connected.
  const peer = await Promise.race([wire.server.accept(), Promise.all(running)])
  if (Array.isArray(peer)) return { damage, results }
  harm(peer, damage, random)
  const backend = new MemoryBackend(peer)
  backend.serve(profile === pipelined ? SECRET : undefined).catch(() => undefined)
  const givenUpAt = Date.now() + 10_000
  while (results.includes('pending') && Date.now() < givenUpAt) await rest()
  await wire.upstream.close(over)
  return { damage, results }
}

describe('the wire under fire', () => {
  it(`Front hangs, crashes and mixes up nothing in ${RUNS} seeded runs`, {
    timeout: 240_000,
  }, async () => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    const harmed = { none: 0, corruption: 0, disconnection: 0 }
    for (let first = 1; first <= RUNS; first += AT_ONCE) {
      const seeds = Array.from({ length: AT_ONCE }, (_, at) => first + at)
      for (const [at, { damage, results }] of (await Promise.all(seeds.map(run))).entries()) {
        harmed[damage] += 1
        const seed = seeds[at]
        expect(results, `seed ${seed} hangs`).not.toContain('pending')
        if (damage === 'none')
          expect(results, `seed ${seed}`).toEqual(results.map(() => 'fulfilled'))
        if (damage === 'disconnection')
          expect(results.filter(isUnexplained), `seed ${seed}`).toEqual([])
      }
    }
    await rest()
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
    expect(Math.min(...Object.values(harmed))).toBeGreaterThan(RUNS / 5)
  })
})
