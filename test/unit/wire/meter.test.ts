import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Meter } from '../../../src/wire/meter.ts'

describe('Meter', () => {
  it('Meter counts nothing before anything happens', () => {
    expect({ ...new Meter() }).toEqual({
      connects: 0,
      roundTrips: 0,
      queries: 0,
      bytesSent: 0,
      bytesReceived: 0,
      connectMs: 0,
      firstRowMs: 0,
      queryMs: 0,
    })
  })

  it('Meter counts writes in a row as one round trip', () => {
    const meter = new Meter()
    meter.sent(1)
    meter.sent(2)
    meter.sent(3)
    expect(meter).toMatchObject({ roundTrips: 1, bytesSent: 6 })
  })

  it('Meter counts a round trip whenever we speak after the server', () => {
    const meter = new Meter()
    meter.sent(1)
    meter.received(10)
    meter.received(10)
    meter.sent(1)
    meter.received(10)
    expect(meter).toMatchObject({ roundTrips: 2, bytesSent: 2, bytesReceived: 30 })
  })

  it('Meter counts TCP, the question for TLS, TLS, and the four turns of a cold query', () => {
    const meter = new Meter()
    meter.handshake()
    meter.sent(8)
    meter.received(1)
    meter.handshake()
    for (const _turn of ['startup', 'first', 'final', 'query']) {
      meter.sent(10)
      meter.received(10)
    }
    expect(meter.roundTrips).toBe(7)
  })

  it('Meter counts as many round trips as runs of writes, whatever the order', () => {
    const steps = fc.array(fc.constantFrom('sent' as const, 'received' as const))
    fc.assert(
      fc.property(steps, (order) => {
        const meter = new Meter()
        for (const step of order) meter[step](1)
        const runs = order.filter((step, at) => step === 'sent' && order[at - 1] !== 'sent')
        expect(meter.roundTrips).toBe(runs.length)
        expect(meter.bytesSent + meter.bytesReceived).toBe(order.length)
      }),
      { seed: 7 },
    )
  })
})
