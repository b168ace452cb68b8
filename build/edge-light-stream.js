import { NullpoolError } from '../errors.js'

/**
 * Stands in for node:stream where there is none. postgres.js makes a stream for a COPY alone, when the
 * server has begun it: the server is told to give up, so that the connection can be used on.
 */
function refuse({ destroy } = {}) {
  const error = new NullpoolError(
    'ERR_RUNTIME_UNSUPPORTED',
    'This runtime has no node:stream, which COPY needs.',
    {
      hint: 'Insert rows with sql(rows), read them with cursor(n), or let the function run on Node.',
    },
  )
  destroy?.(error, () => {})
  throw error
}

class Readable {
  constructor() {
    refuse()
  }
}

class Writable {
  constructor(options) {
    refuse(options)
  }
}

export default { Readable, Writable, Duplex: Writable }
