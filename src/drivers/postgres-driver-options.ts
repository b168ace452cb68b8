import type { Options, PostgresType } from 'postgres'

/** What of postgres.js's options makes sense for a connection that lives as long as a request. */
export interface PostgresDriverOptions {
  /** Renames columns and changes values, as postgres.js documents. */
  transform?: NonNullable<Options<Record<string, PostgresType>>['transform']>
  /** Types of your own, as postgres.js documents. */
  types?: Record<string, PostgresType>
  /** Called with every statement, as postgres.js documents. It sees the values of parameters. */
  debug?: NonNullable<Options<Record<string, PostgresType>>['debug']>
}
