import type { NullpoolErrorCode } from '../errors.ts'

/** What the gateway is asked for. */
export type GatewayPath = '/v1' | '/v2' | '/sql'

/** What the gateway does, for logs and metrics; `target` is `host:port`. Durations are in milliseconds. */
export type GatewayEvent =
  /**
   * A request that nothing was connected for, a tunnel whose server could not be reached, or a statement in one
   * that needs a session (`ERR_SESSION_STATE`). `hint` says what whoever runs the gateway can do about it: its
   * options, its runtime. Clients are not told.
   */
  | { type: 'refused'; path: GatewayPath; code: NullpoolErrorCode; target?: string; hint?: string }
  /**
   * A statement in a tunnel that needs a session and was let through all the same, or an answer of `/sql` that its
   * client did not read (`ERR_GATEWAY_TIMEOUT`).
   */
  | { type: 'warning'; path: GatewayPath; target: string; code: NullpoolErrorCode; message: string }
  /** A tunnel whose bytes may flow. */
  | { type: 'open'; path: GatewayPath; target: string; connectMs: number }
  /** Its end, with the status that the client is told (RFC 6455 §7.4). */
  | {
      type: 'close'
      path: GatewayPath
      target: string
      status: number
      bytesToServer: number
      bytesToClient: number
      durationMs: number
    }
  /** A request to `/sql` that was answered; `code` is an error's, the server's SQLSTATE included, `hint` as above. */
  | {
      type: 'query'
      target: string
      statements: number
      durationMs: number
      code?: string
      hint?: string
    }
