import { NullpoolError } from './errors.ts'
import { isIdentitySetting } from './identity-setting.ts'
import type { Setting } from './wire/prologue.ts'

/**
 * The payload of a JSON Web Token that **somebody has verified**, such as `c.get('jwtPayload')` behind
 * `hono/jwt`. `role` picks the role of the database; everything is there for policies to read.
 */
export type Claims = Readonly<Record<string, unknown>>

/** For whom statements run. */
export interface Identity {
  /** Made at the beginning of each of their transactions. */
  settings: readonly Setting[]
  /** Tells one identity from another, for transactions inside of transactions. */
  key: string
}

/** Roles that claims may name where the option `roles` says nothing. */
export const DEFAULT_ROLES: readonly string[] = ['anon', 'authenticated']

/** Longer ones do not fit into the headers of a request either. */
const MAX_CHARACTERS = 65_536

/** NUL, and halves of characters: `jsonb` takes neither. */
const NOT_JSONB = /\\u(?:0000|d[89a-f][0-9a-f]{2})/i

/**
 * The settings under which statements run for somebody: `request.jwt.claims` as JSON, and `role`. Both
 * travel as bound values. Without claims, or without a role in them, the first of `roles` is taken, never
 * the connection's own.
 *
 * @throws {NullpoolError} `ERR_CLAIMS` for a role that is not in the list, and for what is not the payload
 *   of a token. No message quotes a claim.
 */
export function claimSettings(
  claims: Claims | null | undefined,
  roles: readonly string[],
): Setting[] {
  const [anonymous = 'anon'] = roles
  const given = claims == null ? {} : snapshot(claims)
  const { role = anonymous } = given
  if (typeof role !== 'string' || !roles.includes(role)) {
    throw new NullpoolError(
      'ERR_CLAIMS',
      'The role in the claims is not one that requests may have.',
      {
        hint: `The option roles lists them: ${roles.join(', ')}.`,
      },
    )
  }
  const json = JSON.stringify({ ...given, role })
  if (json.length > MAX_CHARACTERS) throw refused(`are longer than ${MAX_CHARACTERS} characters`)
  return [
    ['request.jwt.claims', json],
    ['role', role],
  ]
}

/** What JSON makes of it, so that the role that is checked is the role that is told. */
function snapshot(claims: unknown): Record<string, unknown> {
  let text: string | undefined
  try {
    text = JSON.stringify(claims)
  } catch (cause) {
    throw refused('cannot be written as JSON', cause)
  }
  if (text === undefined || !text.startsWith('{')) throw refused('are not an object')
  if (NOT_JSONB.test(text.replaceAll('\\\\', ''))) throw refused('hold NUL or half a character')
  return JSON.parse(text) as Record<string, unknown>
}

function refused(what: string, cause?: unknown): NullpoolError {
  return new NullpoolError('ERR_CLAIMS', `The claims ${what}.`, {
    ...(cause === undefined ? {} : { cause }),
    hint: 'Pass the verified payload of a JSON Web Token, or nothing.',
  })
}

/** @throws {NullpoolError} `ERR_OPTIONS` for a setting that would change the claims it comes with. */
export function refuseIdentity(settings: readonly Setting[]): void {
  for (const [name] of settings) {
    if (!isIdentitySetting(name)) continue
    throw new NullpoolError('ERR_OPTIONS', `The setting ${name} belongs to the claims.`, {
      hint: 'Use as(claims) with other claims.',
    })
  }
}
