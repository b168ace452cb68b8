import { rollback } from './rollback.ts'
import type { Session } from './session.ts'

/**
 * Ends a session as poolers want it: what is under way comes to its ReadyForQuery, an open transaction
 * is rolled back, then Terminate. Whoever leaves earlier makes them throw a backend away. May wait for
 * the server: bound it.
 */
export async function sayGoodbye(session: Session): Promise<void> {
  await settle(session)
  await session.terminate()
}

/** Brings what is under way to its end, and rolls an open transaction back. May wait for the server. */
export async function settle(session: Session): Promise<void> {
  // A driver that has stopped the reading cannot start it again.
  session.read(true)
  session.proceed()
  if (session.busy || !session.ready) await session.nextIdle()
  await rollBack(session)
}

/** Ends the transaction that is open, if one is. */
async function rollBack(session: Session): Promise<void> {
  if (session.status === 'I' || session.ended) return
  const idle = session.nextIdle()
  session.run(rollback())
  await idle
}
