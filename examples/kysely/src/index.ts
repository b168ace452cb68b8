import { zValidator } from '@hono/zod-validator'
import { Hono } from 'hono'
import { createMiddleware } from 'hono/factory'
import { HTTPException } from 'hono/http-exception'
import { stream } from 'hono/streaming'
import { type Generated, Kysely, PostgresDialect } from 'kysely'
import { type NullpoolVariables, nullpool } from 'nullpool/hono'
import { kyselyCursor, kyselyPool } from 'nullpool/kysely'
import { z } from 'zod'

interface Library {
  authors: { id: Generated<number>; name: string }
  books: { id: Generated<number>; author_id: number; title: string; added_at: Generated<Date> }
}

interface Environment {
  Variables: NullpoolVariables & { kysely: Kysely<Library> }
}

const text = z
  .string()
  .trim()
  .min(1)
  .max(300)
  .refine((value) => !value.includes('\0'))

const NewBook = z.object({ title: text, author: text })
const BookId = z.object({ id: z.coerce.number().int().positive().max(2_147_483_647) })

const withKysely = createMiddleware<Environment>(async (c, next) => {
  const pool = kyselyPool(c.var.db)
  const dialect = new PostgresDialect({ pool, cursor: kyselyCursor })
  c.set('kysely', new Kysely<Library>({ dialect }))
  await next()
})

const app = new Hono<Environment>()

app.use(nullpool(), withKysely)

app.get('/books', async (c) => {
  const db = c.get('kysely')
  const books = db
    .selectFrom('books')
    .innerJoin('authors', 'authors.id', 'books.author_id')
    .select(['books.id', 'books.title', 'authors.name as author'])
  return c.json(await books.orderBy('books.id').limit(100).execute())
})

app.get('/books/:id{[0-9]+}', zValidator('param', BookId), async (c) => {
  const { id } = c.req.valid('param')
  const book = await c
    .get('kysely')
    .selectFrom('books')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst()
  return book ? c.json(book) : c.json({ error: 'There is no such book.' }, 404)
})

app.post('/books', zValidator('json', NewBook), async (c) => {
  const { title, author: name } = c.req.valid('json')
  // Author and book, or neither: two statements in three round trips, BEGIN included.
  const book = await c
    .get('kysely')
    .transaction()
    .execute(async (tx) => {
      const author = await tx
        .insertInto('authors')
        .values({ name })
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ name }))
        .returning('id')
        .executeTakeFirstOrThrow()
      const added = tx.insertInto('books').values({ title, author_id: author.id }).returningAll()
      return added.executeTakeFirstOrThrow()
    })
  return c.json(book, 201)
})

app.get('/books.ndjson', (c) => {
  c.header('Content-Type', 'application/x-ndjson')
  return stream(c, async (body) => {
    const rows = c.get('kysely').selectFrom('books').select(['id', 'title']).orderBy('id')
    for await (const book of rows.stream(50)) await body.write(`${JSON.stringify(book)}\n`)
  })
})

app.onError((error, c) => {
  if (error instanceof HTTPException) return error.getResponse()
  console.error(error)
  return c.json({ error: 'Something went wrong.' }, 500)
})

export default app
