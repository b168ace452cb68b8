import { Kysely, PostgresDialect } from 'kysely'
import { createDatabase, type DatabaseOptions, type Scope } from 'nullpool'
import { kyselyCursor, kyselyPool } from 'nullpool/kysely'
import { afterAll, afterEach, beforeAll, inject } from 'vitest'
import { type CountingProxy, startCountingProxy } from './counting-proxy.ts'
import { type Library, makeLibrary } from './library-schema.ts'
import { createTestDatabase, type TestDatabase } from './test-database.ts'

/** Kysely on scopes behind PgBouncer and a proxy, over the tables of a library. */
export class KyselyBed {
  #database: TestDatabase | undefined
  #proxy: CountingProxy | undefined

  /** Call it inside of `describe`: the hooks belong to that block. */
  constructor() {
    const { pgbouncer } = inject('servers')
    beforeAll(async () => {
      this.#database = await createTestDatabase()
      await makeLibrary(this.#database.sql)
      if (pgbouncer) this.#proxy = await startCountingProxy({ target: pgbouncer })
    })
    afterEach(async () => {
      await this.closed()
      this.proxy.reset()
      await this.database.sql`truncate books, authors`
    })
    afterAll(async () => {
      await this.proxy.stop()
      await this.database[Symbol.asyncDispose]()
    })
  }

  get database(): TestDatabase {
    if (!this.#database) throw new Error('The bed has not been made yet.')
    return this.#database
  }

  get proxy(): CountingProxy {
    if (!this.#proxy) throw new Error('The bed has not been made yet.')
    return this.#proxy
  }

  get url(): string {
    return this.database.url(this.proxy)
  }

  open(options: DatabaseOptions = {}): Scope {
    return createDatabase({ url: this.url, pooler: 'pgbouncer', ...options }).scope()
  }

  on(scope: Scope): Kysely<Library> {
    const pool = kyselyPool(scope)
    return new Kysely<Library>({ dialect: new PostgresDialect({ pool, cursor: kyselyCursor }) })
  }

  /** Resolves when every connection has been closed. */
  closed(): Promise<void> {
    return this.proxy.until(({ connections }) => connections.every(({ open }) => !open))
  }

  /** What is committed. */
  async titles(): Promise<unknown[]> {
    const books = await this.database.sql`select title from books order by title`
    return books.map(({ title }) => title)
  }

  /** How many statements with this text the server is at. */
  async running(text: string): Promise<number> {
    const found = await this.database.sql`
      select pid from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()
        and state = 'active' and position(${text} in query) > 0`
    return found.length
  }

  /** Resolves when the server is at so many statements with this text. */
  async untilRunning(text: string, count: number): Promise<void> {
    while ((await this.running(text)) !== count) await new Promise((next) => setTimeout(next, 5))
  }
}

/** A book of which only the title counts. */
export function add(db: Kysely<Library>, title: string): Promise<unknown> {
  return db
    .insertInto('books')
    .values({ title } as never)
    .execute()
}
