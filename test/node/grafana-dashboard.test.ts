import { readFile } from 'node:fs/promises'
import type { Dashboard, Panel } from '@grafana/schema'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { dashboard } from '../../build/grafana-dashboard.ts'
import { readPrometheusText } from '../../src/cli/connections/prometheus-text.ts'
import { CommandLine } from '../support/command-line.ts'
import {
  type DashboardQuery,
  dashboardQueries,
  labelsOf,
  nameOf,
} from '../support/dashboard-query.ts'
import { codeBlocks, tableRows } from '../support/markdown.ts'
import { checkMetrics, Prometheus, prometheusPath, type Series } from '../support/prometheus.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { pgbouncer, postgres: server } = inject('servers')
const page = (name: string): Promise<string> =>
  readFile(new URL(`../../docs/${name}`, import.meta.url), 'utf8')
const published: Dashboard = JSON.parse(await page('grafana-dashboard.json'))
const panels = (published.panels ?? []).filter((panel): panel is Panel => 'targets' in panel)
const unquoted = (cell: string): string[] =>
  [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word)
/** How much of the past is asked for: as much as the test takes. */
const SECONDS = 60

describe('docs/grafana-dashboard.json', () => {
  it('is the dashboard whose form the compiler has checked', () => {
    expect(published).toEqual(dashboard)
  })

  it('has no panel upon another, and none beyond the 24 columns', () => {
    const taken = new Map<string, string>()
    for (const { title = '', gridPos = { x: 0, y: 0, w: 0, h: 0 } } of panels) {
      const { x, y, w, h } = gridPos
      expect([w > 0, h > 0, x + w <= 24], title).toEqual([true, true, true])
      for (let cell = 0; cell < w * h; cell++) {
        const place = `${x + (cell % w)},${y + Math.floor(cell / w)}`
        expect(taken.get(place), `${title} at ${place}`).toBeUndefined()
        taken.set(place, title)
      }
    }
  })
})

describe.skipIf(!(pgbouncer && prometheusPath))('the dashboard on a real Prometheus', () => {
  const at = pgbouncer ?? { host: '', port: 0, adminUrl: '' }
  let database: TestDatabase
  let command: CommandLine
  let prometheus: Prometheus
  let target: string
  const clients: postgres.Sql[] = []
  const held: postgres.ReservedSql[] = []
  let waiting: Promise<unknown> | undefined

  beforeAll(async () => {
    database = await createTestDatabase()
    await occupy()
    // Directly: through the pool it would wait too.
    command = new CommandLine(
      ['connections', database.url(server), '--prometheus', ':0', '--watch', '0.3'],
      { PGBOUNCER_ADMIN_URL: at.adminUrl },
    )
    const line = /The metrics are on http:\/\/(127\.0\.0\.1:\d+)\/metrics/
    await command.until(({ stderr }) => line.test(stderr))
    target = line.exec(command.printed.stderr)?.[1] ?? ''
    prometheus = await Prometheus.start(await documentedConfiguration())
  })
  afterAll(async () => {
    await prometheus?.[Symbol.asyncDispose]()
    await command?.[Symbol.asyncDispose]()
    await Promise.all(held.map((transaction) => transaction`rollback`))
    await waiting
    for (const transaction of held) transaction.release()
    await Promise.all(clients.map((client) => client.end()))
    await database?.[Symbol.asyncDispose]()
  })

  function open(to: { host: string; port: number }, name: string, max: number): postgres.Sql {
    const connection = { application_name: name }
    const options = { max, prepare: false, connection }
    const client = postgres(database.url(to), options)
    clients.push(client)
    return client
  }

  /** The whole pool is in transactions that do nothing, and one client waits for it; one has no name. */
  async function occupy(): Promise<void> {
    const pooled = open(at, 'shop', 11)
    const idle = [open(server, 'report', 1), open(server, '', 1)]
    const holders = [...Array.from({ length: 10 }, () => pooled), ...idle]
    await Promise.all(
      holders.map(async (client) => {
        const transaction = await client.reserve()
        held.push(transaction)
        await transaction`begin`
        await transaction`select 1`
      }),
    )
    waiting = pooled`select 1`.execute()
  }

  /** What docs/connections.md shows, for the port and the patience of this test. */
  async function documentedConfiguration(): Promise<string> {
    const [block] = codeBlocks(await page('connections.md')).filter(
      ({ language }) => language === 'yaml',
    )
    const code = block?.code ?? ''
    for (const replaced of ['127.0.0.1:9399', 'scrape_interval: 15s']) {
      expect(code).toContain(replaced)
    }
    return code
      .replace('127.0.0.1:9399', target)
      .replace('scrape_interval: 15s', 'scrape_interval: 1s')
  }

  /** As Grafana has them: four times the scrape interval is its `$__rate_interval`. */
  function queriesOf(panel: Panel): DashboardQuery[] {
    return dashboardQueries(panel, { instance: target, __rate_interval: '4s' })
  }

  async function ask({ expr, isInstant }: DashboardQuery): Promise<Series[]> {
    return isInstant ? await prometheus.now(expr) : await prometheus.lately(expr, SECONDS)
  }

  it('tells the metrics that are documented, and promtool has nothing against them', async () => {
    const metrics = await (await fetch(`http://${target}/metrics`)).text()
    expect(metrics).toContain('nullpool_pool_clients')
    expect(await checkMetrics(metrics)).toBe('')
    const told = new Map(
      readPrometheusText(metrics).map(({ name, labels }) => [name, Object.keys(labels).sort()]),
    )
    const listed = tableRows(await page('connections.md'), 'metric').map(
      ([name = '', labels = '']) => [unquoted(name)[0], unquoted(labels).sort()] as const,
    )
    expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(told))
  })

  it('finds the exporter by the query of its variable', async () => {
    const variable = published.templating?.list?.find(({ name }) => name === 'instance')
    const query = (variable?.query as { query: string } | undefined)?.query ?? ''
    const [, metric = '', label = ''] = /^label_values\((\w+), (\w+)\)$/.exec(query) ?? []
    const values = async (): Promise<(string | undefined)[]> =>
      (await prometheus.now(metric)).map((series) => series.metric[label])
    await expect.poll(values, { timeout: 20_000 }).toEqual([target])
  })

  it.each(panels.map((panel) => [panel.title, panel] as const))('draws “%s”', async (_, panel) => {
    const names = new Set<string>()
    for (const query of queriesOf(panel)) {
      const ready = async (): Promise<number> => (await ask(query)).length
      await expect.poll(ready, { message: query.expr, timeout: 20_000 }).toBeGreaterThan(0)
      for (const { metric, values } of await ask(query)) {
        for (const label of labelsOf(query.legend)) {
          expect(metric[label], `${label} of ${query.expr}`).toBeTruthy()
        }
        expect(values.every(([, value]) => Number.isFinite(Number(value)))).toBe(true)
        // Two lines of one name cannot be told apart.
        expect(names).not.toContain(nameOf(query.legend, metric))
        names.add(nameOf(query.legend, metric))
      }
    }
    expect(names.size).toBeGreaterThan(0)
  })

  it('shows what there is', async () => {
    const drawn = async (title: string): Promise<Record<string, number>> => {
      const panel = panels.find((each) => each.title === title)
      if (!panel) throw new Error(`There is no panel ${title}.`)
      const lines = queriesOf(panel).map(async (query) =>
        (await prometheus.now(query.expr)).map(({ metric, values }) => [
          nameOf(query.legend, metric),
          Number(values.at(-1)?.[1]),
        ]),
      )
      return Object.fromEntries((await Promise.all(lines)).flat())
    }
    const shows = async (title: string, values: Record<string, unknown>): Promise<void> => {
      await expect.poll(() => drawn(title), { timeout: 20_000 }).toMatchObject(values)
    }
    const atLeast = (least: number): unknown =>
      expect.toSatisfy((value: number) => value >= least, `at least ${least}`)
    await shows('Connections of the server', { 'in use': atLeast(12), '40 %': 120, '80 %': 240 })
    await shows('Warnings', { 'clients-waiting': 1, 'details-hidden': 0, 'over-80-percent': 0 })
    await shows('Sources', { postgres: 1, pgbouncer: 1 })
    await shows('Connections by application and route', {
      'shop, pooled': 10,
      'report, direct': 1,
      '(no name), direct': atLeast(1),
    })
    await shows('Clients of the pools', { 'pgbouncer, waiting': atLeast(1) })
    await shows('Connections of the pools to the server', { 'pgbouncer, active': atLeast(10) })
    await shows('Transactions that last, clients that wait', {
      'oldest transaction': atLeast(1),
      'longest idle in transaction': atLeast(1),
      'longest wait': atLeast(1),
    })
  })
})
