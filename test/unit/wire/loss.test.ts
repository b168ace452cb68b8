import { describe, expect, it } from 'vitest'
import { NullpoolError } from '../../../src/errors.ts'
import * as loss from '../../../src/wire/loss.ts'

const ADDRESS = { host: 'db.test', port: 6543 }

describe('loss', () => {
  it.each([
    ['connectTimeout', (ran: boolean) => loss.connectTimeout(ADDRESS, 100, 'the login', ran)],
    ['closedEarly', loss.closedEarly],
    ['closedByServer', loss.closedByServer],
  ])(
    '%s is retryable, and says that the statement did not run, only where it did not',
    (_name, make) => {
      expect(make(false).retryable).toBe(true)
      expect(make(false).message).toContain('The statement did not run.')
      expect(make(true).retryable).toBe(false)
      expect(make(true).message).toContain('is not known.')
    },
  )

  it('connectTimeout names address, limit, phase and the option', () => {
    const error = loss.connectTimeout(ADDRESS, 1234, 'the TLS handshake', false)
    expect(error.code).toBe('ERR_CONNECT_TIMEOUT')
    expect(error.message).toMatch(/db\.test:6543.*1234 ms.*the TLS handshake/)
    expect(error.hint).toContain('connectTimeoutMs')
    const ipv6 = loss.connectTimeout({ host: '2001:db8::1', port: 6543 }, 1234, 'it', false)
    expect(ipv6.message).toContain('[2001:db8::1]:6543 did not answer')
  })

  it('closedEarly and closedByServer are both ERR_CONNECTION_LOST', () => {
    expect(loss.closedEarly(false).code).toBe('ERR_CONNECTION_LOST')
    expect(loss.closedByServer(false).code).toBe('ERR_CONNECTION_LOST')
  })

  it('queryTimeout is never retryable, because the statement goes on at the server', () => {
    const error = loss.queryTimeout(50)
    expect(error).toMatchObject({ code: 'ERR_QUERY_TIMEOUT', retryable: false })
    expect(error.message).toMatch(/50 ms.*is not known/)
    expect(error.hint).toContain('queryTimeoutMs')
  })

  it('transactionIdle says what was done and what the usual mistake is', () => {
    const error = loss.transactionIdle(50)
    expect(error).toMatchObject({ code: 'ERR_TRANSACTION_IDLE', retryable: false })
    expect(error.message).toMatch(/50 ms.*rolled back/)
    expect(error.hint).toContain('use tx and not sql')
  })

  it('repeatedFailure keeps code and retryable and refers to the first error', () => {
    const first = loss.connectTimeout(ADDRESS, 10, 'the login', false)
    const again = loss.repeatedFailure(first)
    expect(again).toMatchObject({ code: first.code, retryable: true, hint: first.hint })
    expect(again).not.toBe(first)
    expect(again.cause).toBe(first)
    expect(again.message).toContain('has already failed')
  })

  it('repeatedFailure does not repeat the hint in its message', () => {
    const first = new NullpoolError('ERR_SERVER', 'It broke.', { hint: 'Mend it.' })
    expect(loss.repeatedFailure(first).message.match(/Mend it\./g)).toHaveLength(1)
  })
})
