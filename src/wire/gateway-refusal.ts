import { NullpoolError, type NullpoolErrorCode, ServerError } from '../errors.ts'
import type { ErrorFields } from './messages.ts'

/** What a gateway says in the place of a server, and whether another attempt may succeed. */
const CODES: ReadonlyMap<string, { code: NullpoolErrorCode; retryable: boolean }> = new Map(
  (
    [
      ['ERR_GATEWAY_TOKEN', false],
      ['ERR_GATEWAY_TARGET', false],
      ['ERR_GATEWAY_REQUEST', false],
      ['ERR_GATEWAY_LIMIT', true],
      ['ERR_CONNECT_REFUSED', true],
      ['ERR_CONNECT_UNREACHABLE', true],
      ['ERR_CONNECT_NAME', true],
      ['ERR_CONNECT_TIMEOUT', true],
      ['ERR_TLS_UNTRUSTED', false],
      ['ERR_TLS_REFUSED', false],
      ['ERR_TLS_REQUIRED', false],
      ['ERR_TLS_FAILED', false],
    ] as const
  ).map(([code, retryable]) => [code, { code, retryable }]),
)

/** What its users set is another thing for each client; this is ours. */
const TOKEN_HINT =
  'Set NULLPOOL_GATEWAY_TOKEN, or the option token of webSocketTransport, to the token of the gateway.'

/**
 * The error for a refusal by `nullpool/gateway`, which puts its code where a server names the routine that
 * raised an error; nothing for the words of a server.
 */
export function gatewayRefusal(
  fields: ErrorFields,
  mayHaveRun: boolean,
): NullpoolError | undefined {
  const known = fields.severity === 'FATAL' ? CODES.get(fields.routine ?? '') : undefined
  if (!known) return undefined
  const { code, retryable } = known
  return new NullpoolError(code, `The gateway says: ${fields.message}`, {
    cause: new ServerError(fields.severity, fields.sqlState, fields.message),
    hint: code === 'ERR_GATEWAY_TOKEN' ? TOKEN_HINT : fields.hint,
    retryable: retryable && !mayHaveRun,
  })
}
