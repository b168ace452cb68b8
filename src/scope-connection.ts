import type { RequestClients } from './request-clients.ts'

/** The connection of a piece of work, as transactions and batches know it. */
export interface ScopeConnection {
  /** What one transaction can be inside of another of: the same request, or the same pool. */
  readonly origin: unknown
  /** How long anything may wait for its turn in a transaction, in milliseconds. */
  readonly queryTimeoutMs: number
  /** What makes clients on it. */
  readonly clients: RequestClients
  /** @throws {NullpoolError} where no statement may be started now. */
  admit(): void
}
