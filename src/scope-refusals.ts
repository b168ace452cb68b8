import { NullpoolError } from './errors.ts'
import { outcome } from './wire/loss.ts'

/** For a statement that comes after the end of its request. */
export function scopeClosed(mayHaveRun: boolean): NullpoolError {
  const words = `The request that this sql belongs to is over. ${outcome(mayHaveRun)}`
  return new NullpoolError('ERR_SCOPE_CLOSED', words, {
    hint: 'Await every query before the handler returns, or keep the connection for background work with c.var.db.hold(promise).',
  })
}

/** For a statement of a request whose client has gone. */
export function aborted(mayHaveRun: boolean): NullpoolError {
  const words = `The request was aborted: its client has gone. ${outcome(mayHaveRun)}`
  return new NullpoolError('ERR_ABORTED', words, {
    hint: 'Work that must not stop with the client belongs into a queue, or into a scope without its signal.',
  })
}

/** For a query that was cancelled, as the server says. */
export function queryAborted(cause: unknown, undone: boolean): NullpoolError {
  const effect = undone
    ? 'It took no effect.'
    : 'Whether a part of it took effect is not known: it may have committed something before.'
  const words = `The query was cancelled by its signal. ${effect}`
  return new NullpoolError('ERR_ABORTED', words, { cause })
}

/** For a query whose cancellation the server did not confirm in time. */
export function cancelledInVain(mayHaveRun: boolean): NullpoolError {
  const words = `The query was cancelled by its signal, and the server did not confirm it within closeTimeoutMs. ${outcome(mayHaveRun)}`
  return new NullpoolError('ERR_ABORTED', words, {
    hint: 'The connection of this request was closed.',
  })
}

/** For a statement that comes from another request. */
export function foreignScope(): NullpoolError {
  return new NullpoolError(
    'ERR_SCOPE_FOREIGN',
    'The sql of one request was used while another request was being answered.',
    {
      hint: 'Take sql from the context of the request at hand (c.var.sql), never from a variable outside of the handler.',
    },
  )
}

/** For a feature of the driver that needs a session. */
export function sessionRequired(feature: string): NullpoolError {
  return new NullpoolError(
    'ERR_SESSION_STATE',
    `${feature} needs a connection of its own, which a request in transaction mode does not have.`,
    {
      hint: 'Use a direct or session-mode connection (port 5432) from a long-lived server.',
    },
  )
}

/** For a feature of the driver that a transaction cannot be used for. */
export function outsideOfTransaction(feature: string): NullpoolError {
  return new NullpoolError(
    'ERR_SESSION_STATE',
    `${feature} needs a client of its own, and this sql is that of one transaction.`,
    {
      hint: 'Use it outside of transaction(), or mount nullpool() without its option transaction on this route.',
    },
  )
}

/** For a statement on a transaction's handle that comes after its end. */
export function transactionOver(): NullpoolError {
  return new NullpoolError(
    'ERR_TRANSACTION_OVER',
    'The transaction that this sql belongs to is over.',
    {
      hint: 'Await every statement inside of the function that is given to transaction().',
    },
  )
}

/** For a transaction that was to be committed although a statement in it had failed. */
export function transactionRolledBack(cause: unknown): NullpoolError {
  return new NullpoolError(
    'ERR_TRANSACTION_ROLLED_BACK',
    'The transaction was rolled back: a statement in it had failed, and the error was not passed on.',
    {
      cause,
      outcome: 'rolled back',
      hint: 'Await every statement, let its error through, or put what may fail into sql.savepoint().',
    },
  )
}

/** The same of a part of a transaction, which goes on. */
export function savepointRolledBack(): NullpoolError {
  return new NullpoolError(
    'ERR_TRANSACTION_ROLLED_BACK',
    'The savepoint was rolled back: a statement in it had failed, and the error was not passed on.',
    {
      outcome: 'rolled back',
      hint: 'Let the error through, or put what may fail into a savepoint of its own.',
    },
  )
}

/** For a request that is a transaction and has no response to tell of it. */
export function noResponse(): NullpoolError {
  return new NullpoolError(
    'ERR_TRANSACTION_ROLLED_BACK',
    'The transaction was rolled back: its request has got no Response.',
    {
      outcome: 'rolled back',
      hint: 'Return a Response from the handler, such as c.json() or c.text(), await next() in every middleware that does not, and throw nothing but an Error.',
    },
  )
}

/** For claims on a connection that answers from what others have asked. */
export function cachedForOthers(): NullpoolError {
  return new NullpoolError(
    'ERR_CLAIMS',
    'Statements for somebody were refused behind Hyperdrive, which may answer them with rows of somebody else from its cache.',
    {
      hint: 'Turn caching off for this binding (wrangler hyperdrive update … --caching-disabled) and set hyperdriveCaching: false, or use the pooler without Hyperdrive.',
    },
  )
}

/** For other claims in a request that is a transaction, whose end they would wait for. */
export function insideTransaction(): NullpoolError {
  return new NullpoolError(
    'ERR_OPTIONS',
    'This request is one transaction, which has its claims already.',
    {
      hint: 'Give the claims to nullpool({ claims }), or leave its option transaction out.',
    },
  )
}

/** For a name that no server reads. */
export function savepointName(): NullpoolError {
  return new NullpoolError('ERR_OPTIONS', 'The name of a savepoint holds NUL.', {
    hint: 'Leave the name out: each savepoint has one of its own.',
  })
}

/** For options of a transaction inside of a transaction. */
export function savepointOptions(): NullpoolError {
  return new NullpoolError(
    'ERR_OPTIONS',
    'A transaction inside of a transaction is a savepoint, which takes no options.',
    { hint: 'Give the options to the outer transaction.' },
  )
}
