import Table from 'cli-table3'
import { styled } from '../styled.ts'
import type { PoolSizeAnswer } from './advise-pool-size.ts'

/** The answer in words for a terminal, or without colours for anything else. */
export function describePoolSize(answer: PoolSizeAnswer): string {
  const { poolSize, stationary, instances, connections, reasons } = answer
  const each = instances === 1 ? '' : `, in each of ${instances} instances`
  return [
    `${styled('bold', 'Pooler')}             pool size ${poolSize}`,
    `${styled('bold', 'Server that stays')}  poolSize ${stationary.poolSize}, maxOverflow ${stationary.maxOverflow}${each}`,
    '',
    ...reasons.map((reason, index) => `${index + 1}. ${reason}`),
    ...(connections === null || connections.length === 0 ? [] : ['', tableOf(connections)]),
  ].join('\n')
}

function tableOf(groups: NonNullable<PoolSizeAnswer['connections']>): string {
  const table = new Table({
    head: ['Role', 'Application', 'Connections'],
    colAligns: ['left', 'left', 'right'],
    // Its own colours do not know of pipes.
    style: { head: [], border: [] },
  })
  for (const { role, application, count } of groups) {
    table.push([printable(role), printable(application) || '—', count])
  }
  return table.toString()
}

/** Clients choose these names: no control characters reach the terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '').slice(0, 63)
}
