import { Hono } from 'hono'
import { NullpoolError } from 'nullpool'
import { type NullpoolVariables, nullpool } from 'nullpool/hono'

const app = new Hono<{ Variables: NullpoolVariables }>()

app.use(nullpool())

app.get('/books', async (c) => {
  const { sql } = c.var
  return c.json(await sql`select id, title, author from books order by id limit 100`)
})

app.get('/books/:id{[0-9]{1,18}}', async (c) => {
  const { sql } = c.var
  const [book] = await sql`select id, title, author from books where id = ${c.req.param('id')}`
  return book ? c.json(book) : c.json({ error: 'There is no such book.' }, 404)
})

app.onError((error, c) => {
  console.error(error)
  const busy = NullpoolError.is(error) && error.retryable
  return c.json({ error: busy ? 'Try again later.' : 'Something went wrong.' }, busy ? 503 : 500)
})

export default app
