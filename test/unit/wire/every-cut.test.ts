import type { Sql, TransactionSql } from 'postgres'
import { describe, expect, it, vi } from 'vitest'
import { postgresDriver } from '../../../src/drivers/postgres.ts'
import { NullpoolError } from '../../../src/errors.ts'
import { Front } from '../../../src/wire/front.ts'
import { MemoryBackend } from '../../support/memory-backend.ts'
import { type MemoryWire, memoryWire } from '../../support/memory-driver.ts'
import { rest } from '../../support/memory-server.ts'

/** postgres.js, unmodified, on a wire. */
function clientOf(wire: MemoryWire): Sql {
  return postgresDriver().createClient({
    ...{ host: 'db.test', port: 6543, user: 'alice', database: 'shop' },
    connect: (listener) => new Front(wire.upstream, listener),
    notice: () => undefined,
    unsupported: (feature) => new NullpoolError('ERR_SESSION_STATE', feature),
  })
}

/** Something that a request does, and what it inserts. */
interface Task {
  run: (sql: Sql) => Promise<unknown>
  inserts: string[]
}

function insert(tx: Sql | TransactionSql, text: string): Promise<unknown> {
  return tx.unsafe(`insert ${text}`)
}

const plain = (name: string): Task => ({ run: (sql) => insert(sql, name), inserts: [name] })

const described = (): Task => ({ run: (sql) => sql`rows ${2}`, inserts: [] })

const transaction = (name: string): Task => ({
  async run(sql) {
    await sql.begin(async (tx) => {
      await insert(tx, `${name}1`)
      await tx`rows ${1}`
      await rest()
      await insert(tx, `${name}2`)
    })
  },
  inserts: [`${name}1`, `${name}2`],
})

/** A transaction that does something else between its statements, for so many turns. */
const hesitant = (name: string, turns: number): Task => ({
  async run(sql) {
    await sql.begin(async (tx) => {
      await insert(tx, `${name}1`)
      for (let turn = 0; turn < turns; turn++) await rest()
      await insert(tx, `${name}2`)
    })
  },
  inserts: [`${name}1`, `${name}2`],
})

const lenient = (name: string): Task => ({
  async run(sql) {
    await sql.begin(async (tx) => {
      await insert(tx, `${name}1`).catch(() => undefined)
      await insert(tx, `${name}2`)
    })
  },
  inserts: [`${name}1`, `${name}2`],
})

const savepoint = (name: string): Task => ({
  async run(sql) {
    await sql.begin(async (tx) => {
      await tx.savepoint((inner) => inner.unsafe('fail')).catch(() => undefined)
      await insert(tx, name)
    })
  },
  inserts: [name],
})

const reserved = (name: string): Task => ({
  async run(sql) {
    const own = await sql.reserve()
    try {
      await insert(own, name)
    } finally {
      own.release()
    }
  },
  inserts: [name],
})

/** A cursor whose reader, or whose callback, thinks about every batch. */
const thoughtful = (name: string, how: 'loop' | 'callback'): Task => ({
  async run(sql) {
    let found = 0
    const think = async (rows: readonly unknown[]): Promise<void> => {
      found += rows.length
      for (let turn = 0; turn < 3; turn++) await rest()
    }
    const reading = sql.unsafe('rows 5')
    if (how === 'callback') await reading.cursor(2, think)
    else for await (const rows of reading.cursor(2)) await think(rows)
    if (found !== 5) throw new Error(`A cursor ended silently after ${found} rows.`)
    await insert(sql, name)
  },
  inserts: [name],
})

const copyIn = (): Task => ({
  async run(sql) {
    const stream = await sql`copy in`.writable()
    const finished = new Promise<void>((resolve, reject) => {
      stream.on('finish', resolve).on('error', reject)
    })
    finished.catch(() => undefined)
    stream.write('1\n')
    await rest()
    stream.end('2\n')
    await finished
  },
  inserts: [],
})

const copyOut = (): Task => ({
  async run(sql) {
    let bytes = 0
    const stream = await sql.unsafe('copy out 3').readable()
    for await (const chunk of stream) bytes += (chunk as Uint8Array).length
    if (bytes !== 'line 0\n'.length * 3) throw new Error(`A COPY ended silently: ${bytes} bytes.`)
  },
  inserts: [],
})

const cursor = (): Task => ({
  async run(sql) {
    let found = 0
    for await (const rows of sql`rows 5`.cursor(2)) found += rows.length
    if (found !== 5) throw new Error(`A cursor ended silently after ${found} rows.`)
  },
  inserts: [],
})

const SCENARIOS: readonly [string, () => Task[]][] = [
  ['plain statements', () => [plain('a'), described(), plain('b')]],
  [
    'two transactions and a statement behind them',
    () => [transaction('a'), transaction('b'), plain('c')],
  ],
  ['transactions that catch their errors', () => [lenient('a'), lenient('b')]],
  ['a savepoint that is rolled back', () => [savepoint('a'), plain('b')]],
  ['reserved connections', () => [reserved('a'), transaction('b'), reserved('c')]],
  ['transactions with pauses', () => [hesitant('a', 1), hesitant('b', 2), hesitant('c', 3)]],
  ['cursors', () => [cursor(), transaction('a'), cursor()]],
  [
    'cursors that are thought about',
    () => [thoughtful('a', 'loop'), thoughtful('b', 'callback'), plain('c')],
  ],
  ['COPY', () => [copyOut(), copyIn(), plain('a')]],
]

type Outcome = 'pending' | 'fulfilled' | { error: unknown }

/** Runs tasks against a server that is cut off; `serve` says where. */
async function run(tasks: readonly Task[], cut: (peer: Cuttable) => void) {
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
  cut({ wire, peer, said })
  void backend.serve()
  // Far less than any deadline of the wire, far more than all of it takes.
  const givenUpAt = Date.now() + 5_000
  while (outcomes.includes('pending') && Date.now() < givenUpAt) await rest()
  await wire.upstream.close(over)
  return { outcomes, backend, said }
}

interface Cuttable {
  wire: MemoryWire
  peer: Awaited<ReturnType<MemoryWire['server']['accept']>>
  said: { bytes: number; writes: number }
}

/** Lets so many bytes of the server through, then closes. */
const afterBytes =
  (limit: number) =>
  ({ peer, said }: Cuttable): void => {
    const send = peer.send.bind(peer)
    peer.send = (...messages) => {
      const bytes = Buffer.concat(messages)
      send(bytes.subarray(0, Math.max(0, limit - said.bytes)))
      said.bytes += bytes.length
      if (said.bytes >= limit) peer.finish()
    }
  }

/** Breaks the client's n-th write: the server never sees it. */
const atWrite =
  (limit: number) =>
  ({ peer, said }: Cuttable): void => {
    peer.onWrite = async () => {
      said.writes += 1
      if (said.writes < limit) return
      peer.finish(new Error('ECONNRESET'))
      throw new Error('EPIPE')
    }
  }

/** Closes the wire at the server's n-th answer. */
const closeAt =
  (limit: number) =>
  ({ wire, peer, said }: Cuttable): void => {
    const send = peer.send.bind(peer)
    peer.send = (...messages) => {
      send(...messages)
      said.writes += 1
      if (said.writes === limit) void wire.upstream.close(over)
    }
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
