import { Hono } from 'hono'
import { type NullpoolVariables, nullpool } from 'nullpool/hono'

const app = new Hono<{ Variables: NullpoolVariables }>()

app.use(nullpool())

app.get('/books', async (c) => {
  const { sql } = c.var
  return c.json(await sql`select id, title, author, tags from books order by id limit 100`)
})

app.get('/books/:id{[0-9]{1,18}}', async (c) => {
  const { sql } = c.var
  const [book] =
    await sql`select id, title, author, tags from books where id = ${c.req.param('id')}`
  return book ? c.json(book) : c.json({ error: 'There is no such book.' }, 404)
})

app.onError((error, c) => {
  console.error(error)
  return c.json({ error: 'Something went wrong.' }, 500)
})

export default app
