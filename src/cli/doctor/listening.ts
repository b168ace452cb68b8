import { randomUUID } from 'node:crypto'
import { Backend, queryMessage } from '../../wire/messages.ts'
import type { PoolerSession } from './pooler-session.ts'

/** Whether a connection hears what it listens for. Only where the backend is its own: it listens for a moment. */
export async function canListen(session: PoolerSession): Promise<boolean> {
  const channel = `nullpool_doctor_${randomUUID().replaceAll('-', '')}`
  await session.query(`listen ${channel}`)
  const answers = await session.exchange(queryMessage(`notify ${channel}`))
  // A server may tell it behind the ReadyForQuery of the NOTIFY.
  const later = await session.exchange(queryMessage(`unlisten ${channel}`))
  return [...answers, ...later].some(([type]) => type === Backend.notificationResponse)
}
