/** How a login may be shortened; see docs/wire.md. */
export type ProfileName = 'universal' | 'pipelined' | 'direct' | 'hyperdrive'

/** What requests do, in the words of docs/round-trips.md. */
export type RequestShape =
  | 'cold, a plain query'
  | 'cold, a parameterised query'
  | 'a parameterised query'
  | '`begin` with 1 query'
  | 'a query under claims'

type Figures = Readonly<Record<RequestShape, Readonly<Partial<Record<ProfileName, number>>>>>

/**
 * Round trips as they were counted, TCP's own not among them; a test holds them equal to the table of
 * docs/round-trips.md, which `npm run bench:trips` writes.
 */
export const ROUND_TRIPS: Readonly<Record<'clear' | 'tls', Figures>> = {
  clear: {
    'cold, a plain query': { universal: 4, pipelined: 2, hyperdrive: 2 },
    'cold, a parameterised query': { universal: 4, pipelined: 2, hyperdrive: 2 },
    'a parameterised query': { universal: 1, pipelined: 1, hyperdrive: 1 },
    '`begin` with 1 query': { universal: 2, pipelined: 2, hyperdrive: 2 },
    'a query under claims': { universal: 1, pipelined: 1, hyperdrive: 1 },
  },
  tls: {
    'cold, a plain query': { universal: 6, pipelined: 4, direct: 3 },
    'cold, a parameterised query': { universal: 6, pipelined: 4, direct: 3 },
    'a parameterised query': { universal: 1, pipelined: 1, direct: 1 },
    '`begin` with 1 query': { universal: 2, pipelined: 2, direct: 2 },
    'a query under claims': { universal: 1, pipelined: 1, direct: 1 },
  },
}

/** TCP's handshake, which the table leaves out and a cold request pays. */
export const TCP_TRIPS = 1
