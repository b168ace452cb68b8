import { describe, expect, it } from 'vitest'
import { NullpoolError, ServerError } from '../../../src/errors.ts'
import { endsConnection, serverFailure } from '../../../src/wire/server-failure.ts'
import { REFUSALS } from '../../support/server-refusals.ts'

const fatal = (sqlState: string, message: string) => ({ severity: 'FATAL', sqlState, message })

describe('serverFailure', () => {
  it.each(REFUSALS)('serverFailure makes $code of $by’s $sqlState “$words”', (refusal) => {
    const error = serverFailure(fatal(refusal.sqlState, refusal.words), false)
    expect(error.code).toBe(refusal.code)
    expect(error.retryable).toBe(refusal.retryable)
  })

  it.each(REFUSALS)(
    'serverFailure never calls $by’s “$words” retryable behind a statement',
    (refusal) => {
      expect(serverFailure(fatal(refusal.sqlState, refusal.words), true).retryable).toBe(false)
    },
  )

  it.each(REFUSALS)('serverFailure quotes $by’s “$words” and keeps it as the cause', (refusal) => {
    const error = serverFailure(fatal(refusal.sqlState, refusal.words), false)
    expect(error.message).toContain(refusal.words)
    expect(error.cause).toBeInstanceOf(ServerError)
    expect(error.cause).toMatchObject({
      severity: 'FATAL',
      sqlState: refusal.sqlState,
      message: refusal.words,
    })
  })

  it.each([
    ['XX000', '(ENEWTHING) something of a later Supavisor'],
    ['XX000', 'something of a later Neon'],
    ['22023', 'unrecognised'],
    ['', ''],
  ])('serverFailure calls %s “%s” ERR_SERVER and not retryable', (sqlState, message) => {
    const error = serverFailure(fatal(sqlState, message), false)
    expect(error.code).toBe('ERR_SERVER')
    expect(error.retryable).toBe(false)
    expect(error.message).toContain(message)
  })

  it('serverFailure goes by Supavisor’s token and not by the words behind it', () => {
    const words = '(ENOTFOUND) password authentication failed'
    expect(serverFailure(fatal('XX000', words), false).code).toBe('ERR_TENANT_UNKNOWN')
  })

  it('serverFailure gives every refusal that a user can mend a hint', () => {
    for (const { sqlState, words } of REFUSALS) {
      const error = serverFailure(fatal(sqlState, words), false)
      if (error.code !== 'ERR_SERVER') expect(error.hint, words).toBeTypeOf('string')
    }
  })

  it.each([
    ['53300', 'too many connections for role "alice"', 'CONNECTION LIMIT'],
    ['53300', 'too many connections for database "shop"', 'CONNECTION LIMIT'],
    ['08P01', 'too many connections for role "alice"', 'CONNECTION LIMIT'],
    ['53300', 'zu viele Verbindungen für Rolle »alice«', 'CONNECTION LIMIT'],
    ['53300', 'sorry, too many clients already', 'max_connections'],
  ])('serverFailure says of Postgres’s %s “%s” that the database is full', (state, words, hint) => {
    const error = serverFailure(fatal(state, words), false)
    expect(error.message).toMatch(/^The database accepts no more connections\./)
    expect(error.hint).toContain(hint)
  })

  it.each([
    ['53300', 'odyssey: c51e3f2ab359: too many tcp connections (global client_max 100)'],
    ['XX000', 'Too many connections to this endpoint. Please try again later.'],
  ])('serverFailure says of a pooler’s %s “%s” that the pooler is full', (state, words) => {
    expect(serverFailure(fatal(state, words), false).message).toMatch(/^The pooler accepts no more/)
  })

  it.each([
    '(ECIRCUITBREAKER) failed to retrieve database credentials after multiple attempts, new connections are temporarily blocked',
    'Circuit breaker open: get_secrets',
  ])('serverFailure blames no password for “%s”, which is over in 30 seconds', (words) => {
    const { hint } = serverFailure(fatal('XX000', words), false)
    expect(hint).toContain('30 seconds')
    expect(hint).not.toContain('password')
  })

  it('serverFailure does take a wrong password for the cause of the other circuit breaker', () => {
    const words = '(ECIRCUITBREAKER) too many authentication failures'
    expect(serverFailure(fatal('XX000', words), false).hint).toContain('password')
  })

  it('serverFailure advises against retrying a wrong password', () => {
    const error = serverFailure(fatal('28P01', 'password authentication failed'), false)
    expect(error.hint).toContain('Do not retry')
    expect(NullpoolError.is(error)).toBe(true)
  })
})

describe('endsConnection', () => {
  it.each(['FATAL', 'PANIC'])('endsConnection is true for %s', (severity) => {
    expect(endsConnection({ severity, sqlState: '57P01', message: 'bye' })).toBe(true)
  })

  it.each([
    ['22012', 'division by zero'],
    ['42P05', 'prepared statement "s1" already exists'],
    ['P0001', '(ENOTFOUND) raised by a user’s function'],
    ['XX000', 'cache lookup failed for relation 1'],
    ['XX000', '(lower case) in brackets'],
    ['40001', 'could not serialize access'],
    ['57014', 'canceling statement due to user request'],
  ])('endsConnection is false for ERROR %s “%s”', (sqlState, message) => {
    expect(endsConnection({ severity: 'ERROR', sqlState, message })).toBe(false)
  })

  it('endsConnection is true for what Supavisor says about itself as an ERROR', () => {
    const message = '(ECHECKOUTTIMEOUT) unable to check out connection from the pool'
    expect(endsConnection({ severity: 'ERROR', sqlState: 'XX000', message })).toBe(true)
    expect(endsConnection({ severity: 'ERROR', sqlState: '08006', message })).toBe(true)
  })
})
