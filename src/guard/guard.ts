import { NullpoolError } from '../errors.ts'
import { RecentlyUsed } from '../wire/recently-used.ts'
import type { IdentityChange } from './identity-change.ts'
import { type Findings, findSessionState, isSuspect, type SessionState } from './session-state.ts'

/** What becomes of a statement that needs a session. */
export type GuardMode = 'throw' | 'warn' | 'off'

/** Looks at the text of a statement; what it returns is its answer. */
export type Guard = (text: string) => NullpoolError | undefined

/** What is found, and what to write instead. */
const WORDS: Record<SessionState, readonly [does: string, instead: string]> = {
  setting: [
    'makes a setting that stays',
    'Use SET LOCAL or set_config(…, true) inside of transaction(), or its option settings.',
  ],
  characteristics: [
    'changes how later transactions begin',
    'Use the options of transaction(): isolation, readOnly, deferrable.',
  ],
  reset: [
    'resets a session',
    'Settings made with SET LOCAL or set_config(…, true) end with their transaction.',
  ],
  listen: ['listens', 'Use a session-mode or direct URL (port 5432) on a long-lived server.'],
  'advisory-lock': [
    'takes or gives back an advisory lock of the session',
    'Use pg_advisory_xact_lock or pg_try_advisory_xact_lock inside of transaction(): they end with it. Tools that migrate need a session-mode or direct URL (port 5432).',
  ],
  'prepared-statement': [
    'prepares a statement or runs one',
    'Send the statement itself; it is described once for an isolate anyway.',
  ],
  'temporary-object': [
    'makes a temporary object that stays',
    'Use CREATE TEMPORARY TABLE … ON COMMIT DROP inside of transaction().',
  ],
  'held-cursor': [
    'declares a cursor WITH HOLD',
    'Leave WITH HOLD out inside of transaction(), or use sql`…`.cursor().',
  ],
  library: ['loads a library', 'Have the server load it: session_preload_libraries.'],
}

const MAX_TEXTS = 1_000
const MAX_CHARACTERS = 1_048_576

/** What this isolate has looked at. */
const known = new RecentlyUsed<Findings>(MAX_TEXTS, MAX_CHARACTERS)

/** How an error speaks of a place where sessions change hands. */
export type GuardWords = readonly [place: string, also: string]

/** What {@link createGuard} takes. */
export interface GuardOptions {
  /** What becomes of statements that need a session. */
  session: GuardMode
  /** What becomes of statements that change for whom they run. */
  claims: GuardMode
  /** Told of what is let through all the same. */
  warn: (error: NullpoolError) => void
  /** Told of each statement that needs a session, whatever becomes of it. */
  found?: (() => void) | undefined
  /** Where sessions change hands, and what else to do there. */
  words?: GuardWords | undefined
}

/**
 * Keeps statements from a transaction-mode pooler that need a session, by accident: it does not look into
 * functions, and whoever wants to can get around it.
 */
export function createGuard(options: GuardOptions): Guard | undefined {
  const { session, claims, warn, found, words } = options
  if (session === 'off' && claims === 'off' && !found) return undefined
  return (text) => {
    if (!isSuspect(text)) return undefined
    const { state, identity } = look(text)
    if (state) found?.()
    const change = claims === 'off' ? undefined : identity
    const refuses = state && session !== 'off'
    const error = change ? changesClaims(change) : refuses && needsSession(state, words)
    if (!error) return undefined
    if ((change ? claims : session) === 'throw') return error
    warn(error)
    return undefined
  }
}

function look(text: string): Findings {
  const before = known.get(text)
  if (before) return before
  const found = findSessionState(text)
  known.set(text, found, text.length)
  return found
}

function needsSession(state: SessionState, words?: GuardWords): NullpoolError {
  const [does, instead] = WORDS[state]
  const [place, also] = words ?? ['behind a transaction-mode pooler', '']
  const message = `A statement ${does}; ${place} the session is somebody else's a moment later.`
  const hint = instead + also
  return new NullpoolError('ERR_SESSION_STATE', message, { hint })
}

function changesClaims(change: IdentityChange): NullpoolError {
  const isCertain = change === 'certain'
  const message = isCertain
    ? 'A statement changes the role or the claims under which it runs.'
    : 'A statement under claims makes a setting whose name is not written out: it may be the role.'
  const hint = isCertain
    ? 'Use as() with other claims, or the scope itself for the own role of the connection.'
    : "Write the name as a text, set_config('app.tenant', …), or give the setting to as(claims, settings)."
  return new NullpoolError('ERR_CLAIMS', message, { hint })
}
