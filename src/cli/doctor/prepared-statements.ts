import { randomUUID } from 'node:crypto'
import { ServerError } from '../../errors.ts'
import {
  Backend,
  concat,
  Frontend,
  frame,
  readErrorFields,
  syncMessage,
  uint16,
} from '../../wire/messages.ts'
import type { PoolerSession } from './pooler-session.ts'

/**
 * `kept`: under the name that was given, in the backend. `tracked`: the pooler gives names of its own and
 * brings a statement to whichever backend comes. `refused`: the pooler says no.
 */
export type NamedStatements = 'kept' | 'tracked' | 'refused'

/**
 * What becomes of the name of a prepared statement. Prepared, looked for and closed again in one
 * transaction, so that it is gone from the backend before anybody else gets that.
 */
export async function namedStatements(session: PoolerSession): Promise<NamedStatements> {
  const name = `nullpool_doctor_${randomUUID().replaceAll('-', '')}`
  const text = `select 1 as ${name}`
  await session.query('begin')
  try {
    const parse = frame(Frontend.parse, `${name}\0${text}\0`, uint16(0))
    const refusal = refusalIn(await session.exchange(concat([parse, syncMessage()])))
    if (refusal) return 'refused'
    const rows = await session.query(
      `select name from pg_prepared_statements where statement = '${text}'`,
    )
    await session.exchange(concat([frame(Frontend.close, `S${name}\0`), syncMessage()]))
    return rows.some(([kept]) => kept === name) ? 'kept' : 'tracked'
  } catch (error) {
    if (error instanceof ServerError) return 'refused'
    throw error
  } finally {
    await session.query('rollback')
  }
}

function refusalIn(answers: readonly Uint8Array[]): string | undefined {
  const error = answers.find(([type]) => type === Backend.errorResponse)
  return error && readErrorFields(error).message
}
