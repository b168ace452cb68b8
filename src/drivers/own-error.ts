import { NullpoolError, type NullpoolErrorCode } from '../errors.ts'

/** What the wire has refused comes back as an error of the server, which it is not. */
export function ownError(error: unknown): unknown {
  if (!(error instanceof Error && 'code' in error) || NullpoolError.is(error)) return error
  const { code, message } = error
  if (!/^ERR_[A-Z_]+$/.test(String(code)) || !('severity' in error)) return error
  const hint = 'hint' in error ? (error.hint as string | undefined) : undefined
  return new NullpoolError(code as NullpoolErrorCode, message, { hint })
}
