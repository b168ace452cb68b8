import { NullpoolError } from './errors.ts'
import { identityKey } from './identity-key.ts'
import { isIdentitySetting } from './identity-setting.ts'
import { readSettings } from './transaction-options.ts'
import type { Setting } from './wire/prologue.ts'

/**
 * The payload of a JSON Web Token that **somebody has verified**, such as `c.get('jwtPayload')` behind
 * `hono/jwt`: a plain object, as `JSON.parse` makes them, of any type or interface. `role` picks the role of
 * the database; everything is there for policies to read.
 *
 * What is no payload, such as a promise that nobody has awaited, is `ERR_CLAIMS`; the type refuses what it can.
 */
export type Claims = Readonly<Record<string, unknown>> | (object & NoPayload)

/** What promises, collections and functions have. */
interface NoPayload {
  readonly then?: never
  readonly [Symbol.iterator]?: never
  readonly [Symbol.hasInstance]?: never
}

/** For whom statements run. */
export interface Identity {
  /** Made at the beginning of each of their transactions. */
  settings: readonly Setting[]
  /** Tells one identity from another, for transactions inside of transactions; the same in any order. */
  key: string
}

/**
 * For whom, with the settings that somebody wants beside.
 *
 * @throws {NullpoolError} `ERR_OPTIONS` for settings that are none or belong to the claims, `ERR_CLAIMS` for
 *   claims that can be written and not be compared.
 */
export function identityOf(
  claims: readonly Setting[],
  settings: Readonly<Record<string, string>>,
): Identity {
  const more = readSettings(settings)
  refuseIdentity(more)
  const all = [...claims, ...more]
  try {
    return { settings: all, key: identityKey(all) }
  } catch (cause) {
    throw refused('are nested too deeply', cause)
  }
}

/** Roles that claims may name where the option `roles` says nothing. */
export const DEFAULT_ROLES: readonly string[] = ['anon', 'authenticated']

/** The role of requests without claims where the option `anonymousRole` says nothing. */
export const DEFAULT_ANONYMOUS_ROLE = 'anon'

/** Which roles there are for requests. */
export interface RoleRules {
  roles: readonly string[]
  /** One of them, for whoever names none. */
  anonymousRole: string
}

/** Longer ones do not fit into the headers of a request either. */
const MAX_CHARACTERS = 65_536

/** NUL, and halves of characters: `jsonb` takes neither. */
const NOT_JSONB = /\\u(?:0000|d[89a-f][0-9a-f]{2})/i

/** The claims that functions of Supabase's read by themselves: `auth.uid()`, `auth.role()`, `auth.email()`. */
const CLAIMS_READ_ALONE = ['sub', 'role', 'email']

/**
 * The settings under which statements run for somebody: `request.jwt.claims` as JSON, `role`, and the names
 * that functions read which know older ones. All travel as bound values. Without claims, or without a role in
 * them, it is the anonymous role, never the connection's own.
 *
 * @throws {NullpoolError} `ERR_CLAIMS` for a role that is not in the list, and for what is not the payload
 *   of a token. No message quotes a claim.
 */
export function claimSettings(
  claims: Claims | null | undefined,
  { roles, anonymousRole }: RoleRules,
): Setting[] {
  const given = claims == null ? {} : snapshot(claims)
  const role = Object.hasOwn(given, 'role') ? given.role : anonymousRole
  if (typeof role !== 'string' || !roles.includes(role)) {
    throw new NullpoolError(
      'ERR_CLAIMS',
      'The role in the claims is not one that requests may have.',
      {
        hint: `The option roles lists them: ${roles.join(', ')}.`,
      },
    )
  }
  const all: Record<string, unknown> = { ...given, role }
  const json = JSON.stringify(all)
  if (json.length > MAX_CHARACTERS) throw refused(`are longer than ${MAX_CHARACTERS} characters`)
  return [['request.jwt.claims', json], ['role', role], ...olderSettings(all)]
}

/**
 * What PostgREST told before version 9. Supabase's functions read it before `request.jwt.claims`, so that they
 * would believe what a function has left there in the session. `auth.jwt()` takes an empty `request.jwt.claim`,
 * which PostgREST never told, for none; for the others an empty one is nobody in functions of their time.
 *
 * @see https://github.com/supabase/auth/blob/master/migrations/20220224000811_update_auth_functions.up.sql
 * @see https://github.com/supabase/auth/blob/master/migrations/20220531120530_add_auth_jwt_function.up.sql
 */
function olderSettings(claims: Record<string, unknown>): Setting[] {
  const alone = CLAIMS_READ_ALONE.map((name): Setting => {
    const value = Object.hasOwn(claims, name) ? (claims[name] ?? '') : ''
    return [`request.jwt.claim.${name}`, typeof value === 'string' ? value : JSON.stringify(value)]
  })
  return [['request.jwt.claim', ''], ...alone]
}

/** What `JSON.parse` gives, also in another realm; no list, no promise, no instance of a class. */
function isPlainObject(value: unknown): boolean {
  if (Object.prototype.toString.call(value) !== '[object Object]') return false
  const prototype: unknown = Object.getPrototypeOf(value)
  const isRoot = prototype !== null && Object.getPrototypeOf(prototype) === null
  return prototype === null || (isRoot && Object.hasOwn(prototype as object, 'isPrototypeOf'))
}

/** What JSON makes of it, so that the role that is checked is the role that is told. */
function snapshot(claims: unknown): Record<string, unknown> {
  if (!isPlainObject(claims)) throw refused('are no plain object')
  let text: string | undefined
  try {
    text = JSON.stringify(claims)
  } catch (cause) {
    throw refused('cannot be written as JSON', cause)
  }
  if (text === undefined || !text.startsWith('{')) throw refused('are no plain object')
  if (NOT_JSONB.test(text.replaceAll('\\\\', ''))) throw refused('hold NUL or half a character')
  return JSON.parse(text) as Record<string, unknown>
}

function refused(what: string, cause?: unknown): NullpoolError {
  return new NullpoolError('ERR_CLAIMS', `The claims ${what}.`, {
    ...(cause === undefined ? {} : { cause }),
    hint: 'Pass the verified payload of a JSON Web Token, awaited, or nothing.',
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
