import { neonConfig, Pool } from '@neondatabase/serverless'
import { createDatabase, NullpoolError } from 'nullpool'
import { neonClient, neonPool } from 'nullpool/neon'
import { work } from '../support/neon-work.ts'

declare const process: { env: Record<string, string> }

/** What `neonPool` and `neonClient` do over the gateway, and what they refuse. */
export function onOurWire(): Promise<unknown> {
  return createDatabase().run({}, async (scope) => {
    const done = await work(scope)
    const refusals: unknown[] = []
    for (const client of [neonPool(scope), neonClient(scope)]) {
      const refusal = await client.query('LISTEN news').catch((error: unknown) => error)
      if (!NullpoolError.is(refusal)) throw new Error('It listens.')
      const { code, message, hint } = refusal
      const { rows } = await client.query('select 1 as n')
      refusals.push({ code, message, hint, rows })
    }
    return { done, refusals }
  })
}

/** What the driver's own Pool does over the gateway, set up as docs/gateway.md says. */
export async function byItself(): Promise<unknown> {
  const { DATABASE_URL, GATEWAY, GATEWAY_TOKEN } = process.env
  neonConfig.pipelineConnect = false
  neonConfig.useSecureWebSocket = false
  neonConfig.wsProxy = (host, port) => `${GATEWAY}/v2?address=${host}:${port}`
  neonConfig.webSocketConstructor = class extends WebSocket {
    constructor(url: string) {
      super(url, ['nullpool', `bearer.${GATEWAY_TOKEN}`])
    }
  }
  const pool = new Pool({ connectionString: DATABASE_URL, max: 2 })
  try {
    return await useOf(pool)
  } finally {
    await pool.end()
  }
}

async function useOf(pool: Pool): Promise<unknown> {
  const { rows } = await pool.query('select $1::int + 1 as n', [41])
  const client = await pool.connect()
  await client.query('begin')
  await client.query('create table undone (n int)')
  await client.query('rollback')
  const refusal = await client.query('listen news').catch(({ code, hint }) => ({ code, hint }))
  client.release()
  const { rows: tables } = await pool.query(`select to_regclass('undone') as undone`)
  return { rows, tables, refusal }
}
