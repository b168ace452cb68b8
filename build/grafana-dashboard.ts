// Writes docs/grafana-dashboard.json, whose form the types of Grafana's own schema check.

import { writeFile } from 'node:fs/promises'
import { type Dashboard, type Panel, VariableRefresh } from '@grafana/schema'
import { DATA_SOURCE, lights, lines, type Place } from './grafana-panels.ts'

/** Connections of one exporter: two that look at the same database would count it twice. */
const of = (metric: string): string => `nullpool_${metric}{instance="$instance"}`
/** Where an application has no name there is no label either, and the legend would begin with nothing. */
const named = `label_replace(${of('connections')}, "application", "(no name)", "application", "")`
const rate = (metric: string): string => `rate(${of(metric)}[$__rate_interval])`

const left = (row: number): Place => ({ x: 0, y: 9 * row, w: 12, h: 9 })
const right = (row: number): Place => ({ x: 12, y: 9 * row, w: 12, h: 9 })

const PANELS: Omit<Panel, 'id'>[] = [
  lines('Connections of the server', left(0), {
    queries: [
      [of('used_connections'), 'in use'],
      [`0.4 * ${of('max_connections')}`, '40 %'],
      [`0.8 * ${of('max_connections')}`, '80 %'],
    ],
    limits: { '40 %': 'orange', '80 %': 'red' },
  }),
  lights(
    'Warnings',
    { x: 12, y: 0, w: 12, h: 5 },
    {
      query: [of('warning'), '{{code}}'],
      states: { 0: ['no', 'green'], 1: ['yes', 'red'] },
    },
  ),
  lights(
    'Sources',
    { x: 12, y: 5, w: 12, h: 4 },
    {
      query: [of('source_up'), '{{source}}'],
      states: { 0: ['failed', 'red'], 1: ['answers', 'green'] },
    },
  ),
  lines('Connections by role and state', left(1), {
    queries: [[`sum by (role, state) (${of('connections')})`, '{{role}}, {{state}}']],
    stacked: true,
  }),
  lines('Connections by application and route', right(1), {
    queries: [[`sum by (application, route) (${named})`, '{{application}}, {{route}}']],
    stacked: true,
  }),
  lines('Clients of the pools', left(2), {
    queries: [[`sum by (pooler, state) (${of('pool_clients')})`, '{{pooler}}, {{state}}']],
  }),
  lines('Connections of the pools to the server', right(2), {
    queries: [[`sum by (pooler, state) (${of('pool_servers')})`, '{{pooler}}, {{state}}']],
    stacked: true,
  }),
  lines('Transactions and queries a second', left(3), {
    queries: [
      [rate('transactions_total'), 'transactions of {{source}}'],
      [rate('queries_total'), 'queries of {{source}}'],
    ],
    unit: 'short',
  }),
  lines('Transactions that last, clients that wait', right(3), {
    queries: [
      [`max(${of('oldest_transaction_seconds')})`, 'oldest transaction'],
      [`max(${of('idle_transaction_seconds')})`, 'longest idle in transaction'],
      [`max(${of('pool_longest_wait_seconds')})`, 'longest wait'],
    ],
    unit: 's',
  }),
]

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
        // Of all metrics this one is there whichever source answers.
        query: {
          query: 'label_values(nullpool_snapshot_timestamp_seconds, instance)',
          refId: 'instance',
        },
        // Unless told, the list is what it was when the dashboard was saved: empty.
        refresh: VariableRefresh.onDashboardLoad,
      },
    ],
  },
  panels: PANELS.map((panel, n) => ({ id: n + 1, ...panel })),
}

if (import.meta.main) {
  const file = new URL('../docs/grafana-dashboard.json', import.meta.url)
  await writeFile(file, `${JSON.stringify(dashboard, undefined, 2)}\n`)
}
