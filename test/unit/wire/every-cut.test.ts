import { describe, expect, it, vi } from 'vitest'
import { NullpoolError } from '../../../src/errors.ts'
import { afterBytes, atWrite, type Cut, closeAt } from '../../support/cuts.ts'
import { MemoryBackend } from '../../support/memory-backend.ts'
import { memoryWire } from '../../support/memory-driver.ts'
import { rest } from '../../support/memory-server.ts'
import { clientOf, SCENARIOS, type Task } from '../../support/wire-tasks.ts'

type Outcome = 'pending' | 'fulfilled' | { error: unknown }

/** Runs tasks against a server that is cut off; `serve` says where. */
async function run(tasks: readonly Task[], cut: Cut) {
  const wire = memoryWire({ queryTimeoutMs: 60_000, closeTimeoutMs: 10 })
  const sql = clientOf(wire)
  const outcomes: Outcome[] = tasks.map(() => 'pending')
  for (const [at, task] of tasks.entries()) {
    task.run(sql).then(
      () => {
        outcomes[at] = 'fulfilled'
      },
      (error: unknown) => {
        outcomes[at] = { error }
      },
    )
  }
  const peer = await wire.server.accept()
  const backend = new MemoryBackend(peer)
  const said = { bytes: 0, writes: 0 }
  cut({ peer, said, close: () => void wire.upstream.close(over) })
  void backend.serve()
  // Far less than any deadline of the wire, far more than all of it takes.
  const givenUpAt = Date.now() + 5_000
  while (outcomes.includes('pending') && Date.now() < givenUpAt) await rest()
  await wire.upstream.close(over)
  return { outcomes, backend, said }
}

function over(): NullpoolError {
  return new NullpoolError('ERR_SCOPE_CLOSED', 'The request is over.', { retryable: true })
}

/** What must be true of every task, wherever the connection was cut. */
function check(
  tasks: readonly Task[],
  { outcomes, backend }: Awaited<ReturnType<typeof run>>,
): void {
  for (const [at, { inserts }] of tasks.entries()) {
    const outcome = outcomes[at]
    expect(outcome, 'nothing hangs').not.toBe('pending')
    const kept = inserts.filter((name) => backend.committed.includes(`insert ${name}`))
    expect([0, inserts.length], 'all or nothing').toContain(kept.length)
    if (outcome === 'fulfilled') expect(kept, 'what succeeded is there').toEqual(inserts)
    if (typeof outcome !== 'object') continue
    const { error } = outcome
    expect(NullpoolError.is(error), `${error}`).toBe(true)
    if (NullpoolError.is(error) && error.retryable)
      expect(kept, 'what is retryable is not there').toEqual([])
  }
}

describe('postgres.js on a wire that is cut', () => {
  it.each(SCENARIOS)(
    'Front lets nothing hang and nothing lie: %s, after every byte of the server',
    async (_name, make) => {
      const unhandled = vi.fn()
      process.on('unhandledRejection', unhandled)
      const whole = await run(make(), afterBytes(Number.POSITIVE_INFINITY))
      check(make(), whole)
      expect(whole.outcomes.every((outcome) => outcome === 'fulfilled')).toBe(true)
      for (let limit = 0; limit < whole.said.bytes; limit += 1) {
        check(make(), await run(make(), afterBytes(limit)))
      }
      await rest()
      process.off('unhandledRejection', unhandled)
      expect(unhandled).not.toHaveBeenCalled()
    },
  )

  it.each(SCENARIOS)(
    'Front lets nothing hang and nothing lie: %s, at every write',
    async (_name, make) => {
      const whole = await run(make(), atWrite(Number.POSITIVE_INFINITY))
      for (let limit = 1; limit <= whole.said.writes; limit++) {
        check(make(), await run(make(), atWrite(limit)))
      }
    },
  )

  it.each(SCENARIOS)(
    'Upstream.close lets nothing hang: %s, at every answer',
    async (_name, make) => {
      const whole = await run(make(), closeAt(Number.POSITIVE_INFINITY))
      for (let limit = 1; limit <= whole.said.writes; limit++) {
        const { outcomes } = await run(make(), closeAt(limit))
        expect(outcomes, `closed at answer ${limit}`).not.toContain('pending')
      }
    },
  )
})
