import { zValidator } from '@hono/zod-validator'
import { Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { stream } from 'hono/streaming'
import { NullpoolError } from 'nullpool'
import { type NullpoolVariables, nullpool } from 'nullpool/hono'
import { z } from 'zod'
import { requestLog } from './request-log.ts'

/** Postgres stores every character but one. */
const text = (longest: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(longest)
    .refine((value) => !value.includes('\0'), 'must not hold a NUL character')

const NewBook = z.object({
  title: text(300),
  author: text(200),
  year: z.int().min(-3000).max(2100).optional(),
  isbn: z.string().regex(/^(97[89])?\d{9}[\dX]$/, 'must be 10 or 13 digits without dashes'),
  tags: z.array(text(50)).max(20).default([]),
})

const BookId = z.object({ id: z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER) })

/** Says which fields are wrong instead of what the validator thought. */
function refuse(result: { success: boolean; error?: z.core.$ZodError }): void {
  if (result.success || !result.error) return
  const fields = result.error.issues.map(({ path, message }) => ({
    field: path.join('.'),
    message,
  }))
  throw new InvalidInput(fields)
}

class InvalidInput extends Error {
  override readonly name = 'InvalidInput'
  readonly fields: { field: string; message: string }[]

  constructor(fields: { field: string; message: string }[]) {
    super('The input is not valid.')
    this.fields = fields
  }
}

const app = new Hono<{ Variables: NullpoolVariables }>()

app.use(requestLog)
app.use(nullpool())

app.get('/', (c) => c.text('GET /books, /books/1, /books.ndjson, /healthz; POST /books\n'))

app.get('/books', async (c) => {
  const { sql } = c.var
  return c.json(await sql`select id, title, author, year, tags from books order by id limit 100`)
})

app.get('/books/:id{[0-9]+}', zValidator('param', BookId, refuse), async (c) => {
  const { sql } = c.var
  const [book] = await sql`select * from books where id = ${c.req.valid('param').id}`
  return book ? c.json(book) : c.json({ error: 'There is no such book.' }, 404)
})

app.post('/books', zValidator('json', NewBook, refuse), async (c) => {
  const { sql } = c.var
  const { title, author, year = null, isbn, tags } = c.req.valid('json')
  const [book] = await sql`
    insert into books (title, author, year, isbn, tags)
    values (${title}, ${author}, ${year}, ${isbn}, ${tags})
    on conflict (isbn) do nothing
    returning id`
  if (!book) return c.json({ error: 'A book with this ISBN exists.', field: 'isbn' }, 409)
  return c.json(book, 201, { Location: `/books/${book.id}` })
})

app.get('/books.ndjson', (c) => {
  const { sql } = c.var
  c.header('Content-Type', 'application/x-ndjson')
  return stream(
    c,
    async (body) => {
      const rows = sql`select id, title, author, year, tags from books order by id`.cursor(50)
      for await (const books of rows) {
        await body.write(books.map((book) => `${JSON.stringify(book)}\n`).join(''))
      }
    },
    async (error) => {
      // A client that has seen enough is no failure.
      if (!(NullpoolError.is(error) && error.code === 'ERR_ABORTED')) console.error(error)
    },
  )
})

app.get('/healthz', async (c) => {
  const { sql, db } = c.var
  await sql`select 1`
  return c.json({ pooler: 'reachable', roundTrips: db.metrics.roundTrips })
})

app.onError((error, c) => {
  if (error instanceof InvalidInput) {
    return c.json({ error: error.message, fields: error.fields }, 400)
  }
  // A body that is no JSON, for one.
  if (error instanceof HTTPException) return c.json({ error: error.message }, error.status)
  console.error(error)
  // What went wrong between here and the database is in the log, not in the answer.
  const busy = NullpoolError.is(error) && error.retryable
  return c.json({ error: busy ? 'Try again later.' : 'Something went wrong.' }, busy ? 503 : 500)
})

app.notFound((c) => c.json({ error: 'There is nothing here.' }, 404))

export default app
