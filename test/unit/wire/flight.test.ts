import { describe, expect, it, vi } from 'vitest'
import { Flight } from '../../../src/wire/flight.ts'
import type { FlightReceiver } from '../../../src/wire/flight-receiver.ts'
import { rollback } from '../../../src/wire/rollback.ts'
import * as client from '../../support/wire-messages.ts'

const NOBODY: FlightReceiver = {
  receive() {},
  finished() {},
  reviews() {},
  departs() {},
  refused() {},
}

/** A flight with these messages; `added` is what `add` said of the last. */
function flightOf(...messages: Buffer[]): { flight: Flight; added: boolean } {
  const flight = new Flight(NOBODY)
  let added = false
  for (const message of messages) added = flight.add(message)
  return { flight, added }
}

const close = client.message('C', Buffer.from('P\0'))
const copyData = client.message('d', Buffer.from('1\n'))
const copyDone = client.message('c')
const copyFail = client.message('f', Buffer.from('no\0'))

function type(letter: string): number {
  return letter.charCodeAt(0)
}

describe('Flight', () => {
  it('Flight waits for its Sync', () => {
    const { flight, added } = flightOf(client.parse('select 1'), client.bind(), client.execute)
    expect(added).toBe(false)
    expect(flight).toMatchObject({ complete: false, awaitsServer: false, sent: false })
    expect(flight.add(client.sync)).toBe(true)
    expect(flight).toMatchObject({ complete: true, awaitsServer: true, sent: false })
  })

  it('Flight is complete with a simple query', () => {
    const { flight, added } = flightOf(client.query('select 1'))
    expect(added).toBe(true)
    expect(flight).toMatchObject({ complete: true, awaitsServer: true })
  })

  it('Flight lets a part go ahead at a Flush', () => {
    const { flight, added } = flightOf(client.parse('select 1'), client.describe, client.flush)
    expect(added).toBe(true)
    expect(flight).toMatchObject({ complete: false, awaitsServer: true })
  })

  it('Flight counts statements and not messages', () => {
    expect(flightOf(client.query('x')).flight.queries).toBe(1)
    expect(flightOf(client.extended('x'), client.sync).flight.queries).toBe(1)
    const { flight } = flightOf(client.parse('x'), client.bind(), client.parse('y'), client.sync)
    expect(flight.queries).toBe(2)
  })

  it('Flight gives every byte once, in order', () => {
    const { flight } = flightOf(client.parse('x'), client.flush)
    expect(Buffer.from(flight.take() ?? [])).toEqual(
      Buffer.concat([client.parse('x'), client.flush]),
    )
    expect(flight.sent).toBe(true)
    expect(flight.take()).toBeUndefined()
    flight.add(client.bind())
    flight.add(client.sync)
    expect(Buffer.from(flight.take() ?? [])).toEqual(Buffer.concat([client.bind(), client.sync]))
  })

  it('Flight is not sent by a look at nothing', () => {
    const { flight } = flightOf()
    expect(flight.take()).toBeUndefined()
    expect(flight.sent).toBe(false)
  })

  it('Flight calls back what waits for what was taken, once', () => {
    const { flight } = flightOf(client.query('x'))
    const first = vi.fn()
    flight.onTaken(first)
    flight.taken()
    flight.taken()
    expect(first).toHaveBeenCalledTimes(1)
  })

  it('Flight knows its receiver', () => {
    expect(flightOf(client.sync).flight.receiver).toBe(NOBODY)
  })

  it('Flight of the wire’s own is ready to be sent and tells nobody', () => {
    const flight = rollback()
    expect(flight).toMatchObject({ complete: true, awaitsServer: true, queries: 1 })
    expect(() => flight.receiver.receive(new Uint8Array(1))).not.toThrow()
  })
})

describe('Flight.answered', () => {
  it.each([
    ['RowDescription', 'T'],
    ['NoData', 'n'],
  ])('Flight gives the driver its turn at the %s of a Describe and Flush', (_name, letter) => {
    const { flight } = flightOf(client.parse('x'), client.describe, client.flush)
    for (const before of ['1', 't']) {
      flight.answered(type(before))
      expect(flight.awaitsServer).toBe(true)
    }
    flight.answered(type(letter))
    expect(flight.awaitsServer).toBe(false)
  })

  it.each([
    ['PortalSuspended', 's'],
    ['CommandComplete', 'C'],
    ['EmptyQueryResponse', 'I'],
    ['CopyInResponse', 'G'],
    ['ErrorResponse', 'E'],
  ])('Flight gives the driver its turn at the %s of an Execute and Flush', (_name, letter) => {
    const { flight } = flightOf(client.bind(), client.describe, client.execute, client.flush)
    for (const before of ['2', 'T', 'D', 'N', 'S', 'H', 'd']) {
      flight.answered(type(before))
      expect(flight.awaitsServer).toBe(true)
    }
    flight.answered(type(letter))
    expect(flight.awaitsServer).toBe(false)
  })

  it.each([
    ['Parse', client.parse('x'), '1'],
    ['Bind', client.bind(), '2'],
    ['Close', close, '3'],
  ])(
    'Flight gives the driver its turn when a lone %s is answered to a Flush',
    (_name, message, letter) => {
      const { flight } = flightOf(message, client.flush)
      flight.answered(type(letter))
      expect(flight.awaitsServer).toBe(false)
    },
  )

  it('Flight gives the server its turn again with the next Execute and Flush', () => {
    const { flight } = flightOf(client.execute, client.flush)
    flight.answered(type('s'))
    flight.add(client.execute)
    expect(flight.awaitsServer).toBe(false)
    flight.add(client.flush)
    expect(flight.awaitsServer).toBe(true)
    flight.answered(type('C'))
    expect(flight.awaitsServer).toBe(false)
  })

  it('Flight that is complete awaits ReadyForQuery, whatever comes before', () => {
    const { flight } = flightOf(client.extended('x'), client.sync)
    for (const letter of ['1', '2', 'T', 'D', 'C', 's', 'I', 'E', 'H', 'd', 'c', 'N']) {
      flight.answered(type(letter))
      expect(flight.awaitsServer).toBe(true)
    }
  })

  it('Flight gives the driver its turn when the server asks for the rows of a COPY', () => {
    const { flight } = flightOf(client.query('copy t from stdin'))
    flight.answered(type('G'))
    expect(flight.awaitsServer).toBe(false)
    expect(flight.add(copyData)).toBe(true)
    expect(flight.awaitsServer).toBe(false)
  })

  it.each([
    ['CopyDone', copyDone],
    ['CopyFail', copyFail],
  ])('Flight gives the server its turn with %s', (_name, end) => {
    const { flight } = flightOf(client.query('copy t from stdin'))
    flight.answered(type('G'))
    flight.add(copyData)
    expect(flight.add(end)).toBe(true)
    expect(flight.awaitsServer).toBe(true)
    expect(flight.queries).toBe(1)
  })
})
