import { describe, expect, it } from 'vitest'
import { NullpoolError } from '../../../src/errors.ts'
import { TransportError, type TransportFailureReason } from '../../../src/wire/transport.ts'
import { transportFailure } from '../../../src/wire/transport-failure.ts'

const ADDRESS = { host: 'db.test', port: 6543 }

const WORDINGS: readonly [TransportFailureReason, string, boolean, RegExp][] = [
  ['refused', 'ERR_CONNECT_REFUSED', true, /db\.test:6543/],
  ['unreachable', 'ERR_CONNECT_UNREACHABLE', true, /db\.test:6543/],
  ['name', 'ERR_CONNECT_NAME', true, /db\.test:6543/],
  ['tls-untrusted', 'ERR_TLS_UNTRUSTED', false, /db\.test:6543/],
  ['tls', 'ERR_TLS_FAILED', false, /db\.test:6543/],
  ['unsupported', 'ERR_OPTIONS', false, /runtime/],
  ['foreign', 'ERR_SCOPE_FOREIGN', false, /another request/],
  ['gateway', 'ERR_GATEWAY', true, /gateway on the way to db\.test:6543/],
  ['overrun', 'ERR_STREAM_OVERRUN', false, /db\.test:6543/],
]

describe('transportFailure', () => {
  it.each(WORDINGS)('transportFailure makes %s a %s', (reason, code, retryable, words) => {
    const cause = new TransportError(reason, 'the runtime’s words')
    const error = transportFailure(cause, ADDRESS, false)
    expect(error.code).toBe(code)
    expect(error.retryable).toBe(retryable)
    expect(error.message).toMatch(words)
    expect(error.cause).toBe(cause)
  })

  it('transportFailure puts brackets around the address of IPv6', () => {
    const refused = new TransportError('refused', 'x')
    expect(transportFailure(refused, { host: '::1', port: 1 }, false).message).toContain(
      'Nothing accepts connections at [::1]:1.',
    )
  })

  it.each(WORDINGS)('transportFailure never calls %s retryable behind a statement', (reason) => {
    expect(transportFailure(new TransportError(reason, 'x'), ADDRESS, true).retryable).toBe(false)
  })

  it('transportFailure calls a broken connection lost, and retryable where nothing ran', () => {
    const reset = new TransportError('lost', 'ECONNRESET')
    expect(transportFailure(reset, ADDRESS, true)).toMatchObject({
      code: 'ERR_CONNECTION_LOST',
      retryable: false,
    })
    expect(transportFailure(reset, ADDRESS, false)).toMatchObject({
      code: 'ERR_CONNECTION_LOST',
      retryable: true,
    })
  })

  it('transportFailure says of a broken connection what is known of the statement', () => {
    const reset = new TransportError('lost', 'ECONNRESET')
    expect(transportFailure(reset, ADDRESS, true).message).toMatch(/not known/)
    expect(transportFailure(reset, ADDRESS, false).message).toMatch(/did not run/)
  })

  it('transportFailure returns an error of ours itself', () => {
    const ours = new NullpoolError('ERR_PROTOCOL', 'x')
    expect(transportFailure(ours, ADDRESS, false)).toBe(ours)
  })

  it('transportFailure prefers the hint of the transport, which knows the runtime', () => {
    const error = transportFailure(
      new TransportError('refused', 'x', { hint: 'Open the firewall.' }),
      ADDRESS,
      false,
    )
    expect(error.hint).toBe('Open the firewall.')
    expect(error.message).toMatch(/Open the firewall\.$/)
  })

  it('transportFailure knows a TransportError of another copy of this package by its name', () => {
    const foreign = Object.assign(new Error('x'), { name: 'TransportError', reason: 'name' })
    expect(transportFailure(foreign, ADDRESS, false).code).toBe('ERR_CONNECT_NAME')
  })

  it.each([
    ['a bare error', new Error('x')],
    ['an error with a reason but another name', Object.assign(new Error('x'), { reason: 'name' })],
    ['a text', 'x'],
    ['nothing', undefined],
    ['null', null],
    ['an unknown reason', Object.assign(new TransportError('lost', 'x'), { reason: 'new' })],
    ['a reason that is no text', Object.assign(new TransportError('lost', 'x'), { reason: 7 })],
  ])('transportFailure takes %s for a lost connection', (_what, cause) => {
    const error = transportFailure(cause, ADDRESS, true)
    expect(error.code).toBe('ERR_CONNECTION_LOST')
    expect(error.cause).toBe(cause)
  })

  it.each(['toString', 'constructor', '__proto__'])(
    'transportFailure takes the reason %s of a careless transport for a lost connection',
    (reason) => {
      const cause = Object.assign(new Error('x'), { name: 'TransportError' })
      Object.defineProperty(cause, 'reason', { value: reason })
      expect(transportFailure(cause, ADDRESS, true).code).toBe('ERR_CONNECTION_LOST')
    },
  )
})
