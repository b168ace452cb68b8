import { Hono } from 'hono'
import { type NullpoolVariables, nullpool } from 'nullpool/hono'

// The runtime passes the function's name as the first part of the path.
const app = new Hono<{ Variables: NullpoolVariables }>().basePath('/books')

app.use(nullpool())

app.get('/', async (c) => {
  const { sql } = c.var
  return c.json(await sql`select id, title, author from books order by id limit 100`)
})

app.get('/:id{[0-9]{1,18}}', async (c) => {
  const { sql } = c.var
  const [book] = await sql`select id, title, author from books where id = ${c.req.param('id')}`
  return book ? c.json(book) : c.json({ error: 'There is no such book.' }, 404)
})

app.onError((error, c) => {
  console.error(error)
  return c.json({ error: 'Something went wrong.' }, 500)
})

Deno.serve(app.fetch)
