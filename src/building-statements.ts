import { NullpoolError } from './errors.ts'

/** Whether the function of a batch runs. It is synchronous: nothing else can run meanwhile. */
let building = false

/** Lets the function of a batch make its statements, and begin nothing. */
export function buildStatements<T>(build: () => T): T {
  building = true
  try {
    return build()
  } finally {
    building = false
  }
}

/** @throws {NullpoolError} `ERR_OPTIONS` in the function of a batch: a transaction would run beside the batch. */
export function refuseWhileBuilding(): void {
  if (!building) return
  throw new NullpoolError('ERR_OPTIONS', 'The function of batch() cannot begin a transaction.', {
    hint: 'A batch is one already: return its statements alone, or use transaction() instead of batch().',
  })
}
