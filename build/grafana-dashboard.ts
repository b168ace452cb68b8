// Writes docs/grafana-dashboard.json, whose form the types of Grafana's own schema check.

import { writeFile } from 'node:fs/promises'
import type { Dashboard, Panel } from '@grafana/schema'

/** One panel of the dashboard: where it is, and what it asks. */
interface Drawn {
  title: string
  at: [x: number, y: number, width: number, height: number]
  queries: [expression: string, legend: string][]
  unit?: string
  type?: 'timeseries' | 'stat' | 'table'
  dashed?: string[]
}

const DATA_SOURCE = { type: 'prometheus', uid: '$datasource' }

const PANELS: Drawn[] = [
  {
    title: 'Connections of the server',
    at: [0, 0, 12, 9],
    queries: [
      ['nullpool_used_connections{instance=~"$instance"}', 'in use'],
      ['0.4 * nullpool_max_connections{instance=~"$instance"}', '40 %'],
      ['0.8 * nullpool_max_connections{instance=~"$instance"}', '80 %'],
    ],
    dashed: ['40 %', '80 %'],
  },
  {
    title: 'Warnings',
    at: [12, 0, 12, 9],
    queries: [['nullpool_warning{instance=~"$instance"} > 0', '{{code}}']],
    type: 'stat',
  },
  {
    title: 'Connections by role and state',
    at: [0, 9, 12, 9],
    queries: [
      ['sum by (role, state) (nullpool_connections{instance=~"$instance"})', '{{role}} {{state}}'],
    ],
  },
  {
    title: 'Connections by application and route',
    at: [12, 9, 12, 9],
    queries: [
      [
        'sum by (application, route) (nullpool_connections{instance=~"$instance"})',
        '{{application}} {{route}}',
      ],
    ],
  },
  {
    title: 'Clients of the pools',
    at: [0, 18, 12, 9],
    queries: [
      [
        'sum by (pooler, state) (nullpool_pool_clients{instance=~"$instance"})',
        '{{pooler}} {{state}}',
      ],
    ],
  },
  {
    title: 'Connections of the pools to the server',
    at: [12, 18, 12, 9],
    queries: [
      [
        'sum by (pooler, state) (nullpool_pool_servers{instance=~"$instance"})',
        '{{pooler}} {{state}}',
      ],
    ],
  },
  {
    title: 'Transactions and queries a second',
    at: [0, 27, 12, 9],
    queries: [
      [
        'rate(nullpool_transactions_total{instance=~"$instance"}[$__rate_interval])',
        'transactions',
      ],
      ['rate(nullpool_queries_total{instance=~"$instance"}[$__rate_interval])', 'queries'],
    ],
    unit: 'ops',
  },
  {
    title: 'Transactions that last, clients that wait',
    at: [12, 27, 12, 9],
    queries: [
      ['max(nullpool_oldest_transaction_seconds{instance=~"$instance"})', 'oldest transaction'],
      [
        'max(nullpool_idle_transaction_seconds{instance=~"$instance"})',
        'longest idle in transaction',
      ],
      ['max(nullpool_pool_longest_wait_seconds{instance=~"$instance"})', 'longest wait'],
    ],
    unit: 's',
  },
]

function panelOf(
  { title, at, queries, unit = 'short', type, dashed = [] }: Drawn,
  n: number,
): Panel {
  const [x, y, w, h] = at
  return {
    id: n + 1,
    type: type ?? 'timeseries',
    title,
    datasource: DATA_SOURCE,
    gridPos: { x, y, w, h },
    fieldConfig: {
      defaults: { unit, min: 0 },
      overrides: dashed.map((name) => ({
        matcher: { id: 'byName', options: name },
        properties: [{ id: 'custom.lineStyle', value: { fill: 'dash', dash: [8, 6] } }],
      })),
    },
    options: {},
    targets: queries.map(([expr, legendFormat], query) => ({
      refId: String.fromCharCode('A'.charCodeAt(0) + query),
      datasource: DATA_SOURCE,
      expr,
      legendFormat,
    })),
  }
}

/** The dashboard, as Grafana imports it. */
export const dashboard: Dashboard = {
  title: 'nullpool connections',
  uid: 'nullpool-connections',
  description: 'What nullpool connections --prometheus tells.',
  tags: ['postgres', 'nullpool'],
  schemaVersion: 39,
  editable: true,
  refresh: '10s',
  time: { from: 'now-1h', to: 'now' },
  templating: {
    list: [
      { name: 'datasource', type: 'datasource', label: 'Data source', query: 'prometheus' },
      {
        name: 'instance',
        type: 'query',
        label: 'Instance',
        datasource: DATA_SOURCE,
        query: { query: 'label_values(nullpool_max_connections, instance)', refId: 'instance' },
        includeAll: true,
        multi: true,
        current: { text: 'All', value: '$__all' },
      },
    ],
  },
  panels: PANELS.map(panelOf),
}

if (import.meta.main) {
  const file = new URL('../docs/grafana-dashboard.json', import.meta.url)
  await writeFile(file, `${JSON.stringify(dashboard, undefined, 2)}\n`)
}
