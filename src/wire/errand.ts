import { settledWithin } from './deadline.ts'
import { Flight } from './flight.ts'
import { NOBODY } from './flight-receiver.ts'
import { Backend, queryMessage } from './messages.ts'
import type { Session } from './session.ts'

/** A statement that nobody awaits the rows of. */
class Errand extends Flight {
  failed = false

  override answered(type: number): void {
    super.answered(type)
    this.failed ||= type === Backend.errorResponse
  }
}

/**
 * Runs a statement of the wire's own on a session that nobody uses. True where the server has run it and
 * is ready for the next, within so many milliseconds. Never rejects.
 */
export async function runErrand(
  session: Session,
  text: string,
  withinMs: number,
): Promise<boolean> {
  if (session.ended) return false
  const errand = new Errand(NOBODY)
  errand.add(queryMessage(text))
  const idle = session.nextIdle()
  session.run(errand)
  const inTime = await settledWithin(idle, withinMs)
  return inTime && !errand.failed && !session.ended && session.status === 'I'
}
