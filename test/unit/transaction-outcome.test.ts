import { describe, expect, it } from 'vitest'
import { NullpoolError, type NullpoolErrorCode } from '../../src/errors.ts'
import { withOutcome } from '../../src/transaction-outcome.ts'

const told = (code: NullpoolErrorCode) =>
  withOutcome(new NullpoolError(code, 'It failed.', { hint: 'Do this.' }), 'rolled back')

describe('what became of a transaction', () => {
  it.for([
    'ERR_CONNECT_REFUSED',
    'ERR_CONNECT_NAME',
    'ERR_CONNECT_TIMEOUT',
    'ERR_TLS_UNTRUSTED',
    'ERR_AUTH_PASSWORD',
    'ERR_DATABASE_UNKNOWN',
    'ERR_TENANT_UNKNOWN',
    'ERR_ACCESS_DENIED',
  ] as const)('is not in the words of %s: there was no connection', (code) => {
    expect(told(code)).toMatchObject({ message: 'It failed. Do this.', outcome: 'rolled back' })
  })

  it.for(['ERR_CONNECTION_LOST', 'ERR_QUERY_TIMEOUT', 'ERR_SERVER_UNAVAILABLE'] as const)(
    'is in the words of %s',
    (code) => {
      const message = 'It failed. The transaction was rolled back. Do this.'
      expect(told(code)).toMatchObject({ message, outcome: 'rolled back' })
    },
  )
})
