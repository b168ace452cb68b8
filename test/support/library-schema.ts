import { relations } from 'drizzle-orm'
import {
  bigint,
  boolean,
  customType,
  date,
  integer,
  jsonb,
  numeric,
  pgTable,
  serial,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core'
import type { Sql } from 'postgres'

const bytea = customType<{ data: Uint8Array }>({ dataType: () => 'bytea' })

export const authors = pgTable('authors', { id: serial().primaryKey(), name: text().notNull() })

export const books = pgTable('books', {
  id: serial().primaryKey(),
  authorId: integer('author_id').references(() => authors.id),
  title: text().notNull().unique(),
  key: uuid(),
  published: date(),
  addedAt: timestamp('added_at', { withTimezone: true }),
  local: timestamp({ mode: 'string' }),
  price: numeric(),
  sold: bigint({ mode: 'bigint' }),
  tags: text().array(),
  details: jsonb(),
  lent: boolean(),
  cover: bytea(),
})

export const authorsRelations = relations(authors, ({ many }) => ({ books: many(books) }))
export const booksRelations = relations(books, ({ one }) => ({
  author: one(authors, { fields: [books.authorId], references: [authors.id] }),
}))

/** The same tables, for Kysely. */
export interface Library {
  authors: { id: number; name: string }
  books: {
    id: number
    author_id: number | null
    title: string
    key: string | null
    published: Date | null
    added_at: Date | null
    local: Date | null
    price: string | null
    sold: string | null
    tags: string[] | null
    details: unknown
    lent: boolean | null
    cover: Uint8Array | null
  }
}

export async function makeLibrary(sql: Sql): Promise<void> {
  await sql.unsafe(`
    create table authors (id serial primary key, name text not null);
    create table books (
      id serial primary key, author_id int references authors (id), title text not null unique,
      key uuid, published date, added_at timestamptz, local timestamp, price numeric, sold bigint,
      tags text[], details jsonb, lent boolean, cover bytea
    )`)
}
