import { Flight } from './flight.ts'
import { NOBODY } from './flight-receiver.ts'
import { queryMessage } from './messages.ts'

/** Ends a transaction whose driver has left; the answer interests nobody. */
export function rollback(): Flight {
  const flight = new Flight(NOBODY)
  flight.add(queryMessage('rollback'))
  return flight
}
