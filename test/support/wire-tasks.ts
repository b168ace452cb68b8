// What requests do with postgres.js on a wire whose server is in memory, for tests that break that wire.

import type { Sql, TransactionSql } from 'postgres'
import { postgresDriver } from '../../src/drivers/postgres.ts'
import { NullpoolError } from '../../src/errors.ts'
import { Front } from '../../src/wire/front.ts'
import type { Setting } from '../../src/wire/prologue.ts'
import type { MemoryWire } from './memory-driver.ts'
import { rest } from './memory-server.ts'

/** postgres.js, unmodified, on a wire. */
export function clientOf(wire: MemoryWire, settings: readonly Setting[] = []): Sql {
  return postgresDriver().createClient({
    ...{ host: 'db.test', port: 6543, user: 'alice', database: 'shop' },
    connect: (listener) => new Front(wire.upstream, listener, { settings }),
    notice: () => undefined,
    unsupported: (feature) => new NullpoolError('ERR_SESSION_STATE', feature),
  })
}

/** Something that a request does, and what it inserts. */
export interface Task {
  run: (sql: Sql) => Promise<unknown>
  inserts: string[]
}

function insert(tx: Sql | TransactionSql, text: string): Promise<unknown> {
  return tx.unsafe(`insert ${text}`)
}

const plain = (name: string): Task => ({ run: (sql) => insert(sql, name), inserts: [name] })

/** Fails when it gets the answer to another one. */
const described = (count: number): Task => ({
  async run(sql) {
    const rows = await sql`rows ${count}`
    if (rows.length !== count) throw new Error(`${rows.length} rows instead of ${count}.`)
  },
  inserts: [],
})

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

/** What requests do at once. */
export const SCENARIOS: readonly [string, () => Task[]][] = [
  ['plain statements', () => [plain('a'), described(2), plain('b')]],
  ['statements with values', () => [4, 0, 2, 1, 3, 2, 5].map(described)],
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
