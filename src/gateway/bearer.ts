import type { Context } from 'hono'
import { NullpoolError } from '../errors.ts'

/** What a client offers beside its token, and is given in return. */
export const SUBPROTOCOL = 'nullpool'

const IN_SUBPROTOCOL = 'bearer.'

/** Characters that need no escape in a header, a subprotocol or an address (RFC 3986 §2.3). */
const TOKEN = /^[A-Za-z0-9._~-]{32,512}$/

/** Whether a text will do for a token: long enough that nobody guesses it, and the same everywhere. */
export function isToken(value: unknown): value is string {
  return typeof value === 'string' && TOKEN.test(value)
}

/**
 * Refuses a request that does not bring one of the tokens: in `Authorization: Bearer`, in a subprotocol
 * `bearer.<token>`, or in the query as `token`.
 *
 * @throws {NullpoolError} `ERR_GATEWAY_TOKEN`.
 */
export async function checkBearer(c: Context, tokens: readonly string[]): Promise<void> {
  const presented = presentedToken(c)
  if (presented !== undefined && (await isOneOf(presented, tokens))) return
  const what = presented === undefined ? 'is missing' : 'is not the right one'
  throw new NullpoolError('ERR_GATEWAY_TOKEN', `The token of the gateway ${what}.`, {
    hint: 'Send it as neon(url, { authToken }), in the subprotocol bearer.<token>, or as ?token=.',
  })
}

/** What a client offers in `Sec-WebSocket-Protocol`. */
export function offeredSubprotocols(c: Context): string[] {
  const header = c.req.header('sec-websocket-protocol') ?? ''
  return header.split(',').map((each) => each.trim())
}

function presentedToken(c: Context): string | undefined {
  const header = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1]
  if (header !== undefined) return header
  const offered = offeredSubprotocols(c).find((each) => each.startsWith(IN_SUBPROTOCOL))
  return offered?.slice(IN_SUBPROTOCOL.length) ?? c.req.query('token')
}

/** Takes as long whatever differs: digests are compared to the last byte, and all tokens are. */
async function isOneOf(presented: string, tokens: readonly string[]): Promise<boolean> {
  const mine = await digest(presented)
  let found = false
  for (const token of tokens) {
    const theirs = await digest(token)
    let difference = 0
    for (const [index, byte] of mine.entries()) difference |= byte ^ (theirs[index] ?? 0)
    found = difference === 0 || found
  }
  return found
}

async function digest(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
}
