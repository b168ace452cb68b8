import type { Sql } from './drivers/driver.ts'
import { handOver } from './drivers/hand-over.ts'

/**
 * Clients on each of which one statement at a time runs apart from all others: no flight of another client
 * is under way with it, so that what stops it stops nothing else. What is given back is used again.
 */
export class SpareClients {
  readonly #create: () => Sql
  #idle: Sql[] = []

  constructor(create: () => Sql) {
    this.#create = create
  }

  /**
   * Has a statement that nobody has awaited run on a client of its own.
   *
   * @returns what gives the client back, once the statement has settled.
   */
  lend(statement: unknown): () => void {
    const client = this.#idle.pop() ?? this.#create()
    handOver([statement], client)
    return () => this.#idle.push(client)
  }
}
