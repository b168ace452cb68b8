import { describe, expect, it } from 'vitest'
import { NullpoolError, ServerError } from '../../../src/errors.ts'
import { failureMessage } from '../../../src/gateway/failures.ts'
import { readErrorFields } from '../../../src/wire/messages.ts'
import { serverFailure } from '../../../src/wire/server-failure.ts'

/** What a gateway refuses or fails to do for a tunnel. */
const TOLD = [
  ['ERR_GATEWAY_TOKEN', false],
  ['ERR_GATEWAY_TARGET', false],
  ['ERR_GATEWAY_REQUEST', false],
  ['ERR_GATEWAY_LIMIT', true],
  ['ERR_CONNECT_REFUSED', true],
  ['ERR_CONNECT_UNREACHABLE', true],
  ['ERR_CONNECT_NAME', true],
  ['ERR_CONNECT_TIMEOUT', true],
  ['ERR_TLS_UNTRUSTED', false],
  ['ERR_TLS_REFUSED', false],
  ['ERR_TLS_REQUIRED', false],
  ['ERR_TLS_FAILED', false],
] as const

/** Whose failure is not the client's to mend, and of one what this package's own client says. */
const OPERATORS = /^Whoever runs the gateway/
const HINTS: Readonly<Record<string, RegExp>> = {
  ERR_GATEWAY_TOKEN: /NULLPOOL_GATEWAY_TOKEN/,
  ERR_TLS_UNTRUSTED: OPERATORS,
  ERR_TLS_REFUSED: OPERATORS,
  ERR_TLS_FAILED: OPERATORS,
}

describe('a refusal of the gateway', () => {
  it.each(TOLD)('arrives as %s, retryable %s where nothing ran', (code, retryable) => {
    const refused = new NullpoolError(code, 'These are the words.', { hint: 'Mend it.' })
    const fields = readErrorFields(failureMessage(refused))
    const error = serverFailure(fields, false)
    expect(error).toMatchObject({ code, retryable })
    expect(error.message).toMatch(/^The gateway says: These are the words\. /)
    expect(error.hint).toMatch(HINTS[code] ?? /^Mend it\.$/)
    expect(error.cause).toBeInstanceOf(ServerError)
    expect(serverFailure(fields, true)).toMatchObject({ code, retryable: false })
  })

  it('is none where a server only calls a routine so, or a code is none of a gateway’s', () => {
    const told = (severity: string, routine: string): string =>
      serverFailure({ severity, sqlState: '28P01', message: 'no', routine }, false).code
    expect(told('FATAL', 'ERR_GATEWAY_TOKEN')).toBe('ERR_GATEWAY_TOKEN')
    expect(told('ERROR', 'ERR_GATEWAY_TOKEN')).toBe('ERR_AUTH_PASSWORD')
    expect(told('FATAL', 'ERR_ABORTED')).toBe('ERR_AUTH_PASSWORD')
    expect(told('FATAL', 'auth_failed')).toBe('ERR_AUTH_PASSWORD')
  })
})
