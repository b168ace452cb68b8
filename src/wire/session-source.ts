import type { Cancellation } from './cancellation.ts'
import type { Dial } from './dial.ts'
import { sayGoodbye } from './farewell.ts'
import type { Meter } from './meter.ts'
import { openSession } from './open-session.ts'
import type { Session } from './session.ts'
import type { SessionEvents, SessionOptions } from './session-events.ts'

/** Where an upstream gets its sessions from, and gives them back to. */
export interface SessionSource {
  /** @throws NullpoolError whatever kept it from giving one. */
  open(dial: Dial, options: SessionOptions, events: SessionEvents): Promise<Session>
  /**
   * Takes back what may still be busy or in a transaction. Never rejects; where it takes too long, the
   * session is destroyed.
   *
   * @param cancellation - Whatever is on its way to cancel a statement of it.
   */
  close(session: Session, cancellation: Cancellation): Promise<void>
  /** One that is at hand, without a wait. */
  take?(events: SessionEvents, meter: Meter): Session | undefined
  /** Takes back one at once; `false` where that needs a wait. */
  giveBack?(session: Session, cancellation: Cancellation): boolean
}

/** Opens each, and closes it. */
export const ownSessions: SessionSource = { open: openSession, close: sayGoodbye }
