// The table of round trips in docs/round-trips.md: counted on the proxy, in front of real servers and the
// strict model.

import pg from 'pg'
import postgres, { type Sql } from 'postgres'
import { postgresDriver } from '../../src/drivers/postgres.ts'
import { NullpoolError } from '../../src/errors.ts'
import { transport } from '../../src/transports/node.ts'
import { Front } from '../../src/wire/front.ts'
import { Meter } from '../../src/wire/meter.ts'
import { direct, hyperdrive, type Profile, pipelined, universal } from '../../src/wire/profile.ts'
import type { Setting } from '../../src/wire/prologue.ts'
import { Upstream } from '../../src/wire/upstream.ts'
import { type CountingProxy, startCountingProxy } from './counting-proxy.ts'
import { CLAIMS, PLAIN, SHAPES, type Shape } from './round-trip-shapes.ts'

/** Where a column is measured, and how to log in there. */
export interface Place {
  host: string
  port: number
  user: string
  password: string
  database: string
}

export interface Places {
  pgbouncer: Place
  postgres: Place
  /** Asks for no password, as the socket of a Hyperdrive binding. */
  trusting: Place
  /** The model of Supavisor. */
  strict: Place
  ca: string
}

interface Client {
  run(shape: Shape): Promise<unknown>
  end(): Promise<unknown>
}

interface Column {
  title: string
  place: Place
  /** In clear or over TLS alone; both, where it is not said. */
  only?: 'clear' | 'tls'
  connect: (at: Place, ca: string | undefined) => Promise<Client>
}

function barePostgres(at: Place, ca: string | undefined): Promise<Client> {
  const sql = postgres({
    ...at,
    max: 1,
    prepare: false,
    fetch_types: false,
    ssl: ca === undefined ? false : { ca },
  })
  return Promise.resolve({ run: ({ postgres: work }) => work(sql), end: () => sql.end() })
}

async function barePg(at: Place, ca: string | undefined): Promise<Client> {
  const client = new pg.Client({
    ...at,
    ...(ca === undefined ? {} : { ssl: { ca, servername: 'localhost' } }),
  })
  let connected: Promise<void> | undefined
  return {
    async run({ pg: work }) {
      connected ??= client.connect()
      await connected
      await work(client)
    },
    end: () => client.end(),
  }
}

/** This wire; settings are made by it where a shape has them. */
function ours(profile: Profile): Column['connect'] {
  return async (at, ca) => {
    const close: (() => Promise<void>)[] = []
    const connect = (settings: readonly Setting[]): Sql => {
      const upstream = new Upstream(
        {
          route: { transport, address: at, tls: ca === undefined ? undefined : { ca }, profile },
          credentials: {
            user: at.user,
            database: at.database,
            password: () => at.password,
            applicationName: 'nullpool',
          },
          ...{
            connectTimeoutMs: 10_000,
            connectRetries: 0,
            queryTimeoutMs: 10_000,
            closeTimeoutMs: 5_000,
          },
          meter: new Meter(),
        },
        {
          ...{ opening() {}, opened() {}, closed() {}, background() {}, idle() {}, answered() {} },
        },
      )
      close.push(() => upstream.close(() => new NullpoolError('ERR_SCOPE_CLOSED', 'over')))
      return postgresDriver().createClient({
        ...at,
        connect: (listener) => new Front(upstream, listener, { settings }),
        notice: () => undefined,
        unsupported: (feature) => new NullpoolError('ERR_SESSION_STATE', feature),
      }) as unknown as Sql
    }
    let sql: Sql | undefined
    return {
      run(shape) {
        sql ??= connect(shape.claimed ? CLAIMS : [])
        return (shape.claimed ?? shape.postgres)(sql)
      },
      end: () => Promise.all(close.map((one) => one())),
    }
  }
}

/** One figure: trips of a shape, TCP's own not counted. */
async function measure(column: Column, shape: Shape, ca: string | undefined): Promise<number> {
  const proxy = await startCountingProxy({ target: column.place })
  const at = { ...column.place, host: proxy.host, port: proxy.port }
  try {
    if (shape.cold) await runOnce(column, shape, at, ca)
    // Its goodbye is a turn, and behind Hyperdrive nobody waits for it.
    await settled(proxy)
    proxy.reset()
    const client = await column.connect(at, ca)
    if (!shape.cold) {
      // Bare, `reserve` as the first act never resolves (postgres#1203).
      await client.run(PLAIN)
      await client.run(shape)
    }
    const before = proxy.turns
    await client.run(shape)
    const after = proxy.turns
    await client.end()
    await settled(proxy)
    return after - before
  } finally {
    await proxy.stop()
  }
}

/** Whoever remembers statements has met this one. */
async function runOnce(
  column: Column,
  shape: Shape,
  at: Place,
  ca: string | undefined,
): Promise<void> {
  const client = await column.connect(at, ca)
  await client.run(shape)
  await client.end()
}

async function settled(proxy: CountingProxy): Promise<void> {
  await proxy.until(({ connections }) => connections.every(({ open }) => !open))
}

function columns({ pgbouncer, postgres: server, strict, trusting }: Places): Column[] {
  return [
    { title: 'postgres.js', place: pgbouncer, connect: barePostgres },
    { title: 'pg', place: pgbouncer, connect: barePg },
    { title: '`universal`', place: strict, connect: ours(universal) },
    { title: '`pipelined`', place: pgbouncer, connect: ours(pipelined) },
    { title: '`direct`', place: server, connect: ours(direct), only: 'tls' },
    { title: '`hyperdrive`', place: trusting, connect: ours(hyperdrive), only: 'clear' },
  ]
}

async function table(places: Places, ca: string | undefined): Promise<string> {
  const protection = ca === undefined ? 'clear' : 'tls'
  const used = columns(places).filter(({ only = protection }) => only === protection)
  const lines = [
    `| | ${used.map(({ title }) => title).join(' | ')} |`,
    `|---|${used.map(() => '--:|').join('')}`,
  ]
  for (const shape of SHAPES) {
    const figures: number[] = []
    for (const column of used) figures.push(await measure(column, shape, ca))
    lines.push(`| ${shape.name} | ${figures.join(' | ')} |`)
  }
  return lines.join('\n')
}

/** Both tables, as they stand in docs/round-trips.md. */
export async function roundTripTables(places: Places): Promise<string> {
  const clear = await table(places, undefined)
  const secure = await table(places, places.ca)
  return `## In clear\n\n${clear}\n\n## Over TLS\n\n${secure}\n`
}
