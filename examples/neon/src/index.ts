import { zValidator } from '@hono/zod-validator'
import { eq } from 'drizzle-orm'
import { drizzle, type NeonDatabase } from 'drizzle-orm/neon-serverless'
import { Hono } from 'hono'
import { createMiddleware } from 'hono/factory'
import { HTTPException } from 'hono/http-exception'
import { type NullpoolVariables, nullpool } from 'nullpool/hono'
import { neonClient, neonPool } from 'nullpool/neon'
import { z } from 'zod'
import * as schema from './schema.ts'

const { authors, books } = schema

interface Environment {
  Variables: NullpoolVariables & { drizzle: NeonDatabase<typeof schema> }
}

const text = z
  .string()
  .trim()
  .min(1)
  .max(300)
  .refine((value) => !value.includes('\0'))

const NewBook = z.object({ title: text, author: text })
const BookId = z.object({ id: z.coerce.number().int().positive().max(2_147_483_647) })

const withDrizzle = createMiddleware<Environment>(async (c, next) => {
  c.set('drizzle', drizzle(neonPool(c.var.db), { schema }))
  await next()
})

const app = new Hono<Environment>()

app.use(nullpool(), withDrizzle)

app.get('/books', async (c) => {
  const db = c.get('drizzle')
  return c.json(await db.query.books.findMany({ with: { author: true }, limit: 100 }))
})

// The driver by itself, beside Drizzle: the same request, the same connection.
app.get('/books/:id{[0-9]+}', zValidator('param', BookId), async (c) => {
  const { id } = c.req.valid('param')
  const client = neonClient(c.var.db)
  const { rows } = await client.query('select id, title from books where id = $1', [id])
  return rows[0] ? c.json(rows[0]) : c.json({ error: 'There is no such book.' }, 404)
})

app.post('/books', zValidator('json', NewBook), async (c) => {
  const { title, author } = c.req.valid('json')
  const db = c.get('drizzle')
  // Author and book, or neither: three statements in four round trips, BEGIN included.
  const book = await db.transaction(async (tx) => {
    await tx.insert(authors).values({ name: author }).onConflictDoNothing()
    const [known] = await tx.select().from(authors).where(eq(authors.name, author))
    if (!known) throw new HTTPException(409, { message: 'Somebody removed this author just now.' })
    const [added] = await tx.insert(books).values({ title, authorId: known.id }).returning()
    return added
  })
  return c.json(book, 201)
})

app.get('/cost', async (c) => {
  const client = neonClient(c.var.db)
  const { rows } = await client.query('select count(*)::int as books from books')
  return c.json({ ...rows[0], roundTrips: c.var.db.metrics.roundTrips })
})

app.onError((error, c) => {
  if (error instanceof HTTPException) return error.getResponse()
  console.error(error)
  return c.json({ error: 'Something went wrong.' }, 500)
})

export default app
