import type { Sql } from './drivers/driver.ts'

/** A statement of Kysely's, which begins when its query is awaited. */
export interface KyselyStatement {
  readonly query: ReturnType<Sql['unsafe']>
  /** @throws {NullpoolError} `ERR_TRANSACTION_OVER` where the transaction ends that it was made in. */
  admit(): void
  /** Its error, as its caller is told. */
  explain(error: unknown): unknown
}

/**
 * Makes a statement once it may run.
 *
 * @param stop - What stops it where it is to be rolled back; without it, it is cancelled.
 */
export type MakeStatement = (
  text: string,
  parameters: readonly unknown[],
  stop?: () => void,
) => Promise<KyselyStatement>
