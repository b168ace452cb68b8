import { Hono } from 'hono'
import type { Scope, Sql } from 'nullpool'

/** What the routes need; whether it comes from a pool or is the request's own, they do not know. */
export interface Database {
  sql: Sql
  db: Pick<Scope, 'transaction' | 'batch'>
}

/** The routes of a small library. */
export const books = new Hono<{ Variables: Database }>()
  .get('/books', async (c) => {
    const [found, [total]] = await c.var.db.batch((sql) => [
      sql`select id, title, author from books order by title limit 10`,
      sql<{ n: number }[]>`select count(*)::int as n from books`,
    ])
    return c.json({ books: found, total: total?.n })
  })
  .get('/books/:id{[0-9]{1,9}}', async (c) => {
    const [book] = await c.var.sql`
      select id, title, author from books where id = ${c.req.param('id')}`
    return book ? c.json(book) : c.notFound()
  })
  .delete('/books/:id{[0-9]{1,9}}', async (c) => {
    const id = c.req.param('id')
    const gone = await c.var.db.transaction(async (sql) => {
      const [book] = await sql`delete from books where id = ${id} returning title`
      if (book) await sql`insert into removals (title) values (${book.title})`
      return book
    })
    return gone ? c.json(gone) : c.notFound()
  })
