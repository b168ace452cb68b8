import { zValidator } from '@hono/zod-validator'
import { Hono } from 'hono'
import { createMiddleware } from 'hono/factory'
import { HTTPException } from 'hono/http-exception'
import { type JwtVariables, jwt } from 'hono/jwt'
import { NullpoolError } from 'nullpool'
import { type NullpoolVariables, nullpool } from 'nullpool/hono'
import { z } from 'zod'

interface Environment {
  Bindings: { DATABASE_URL: string; JWT_SECRET: string }
  Variables: NullpoolVariables & Partial<JwtVariables>
}

const Note = z.object({
  body: z
    .string()
    .trim()
    .min(1)
    .max(2000)
    .refine((value) => !value.includes('\0')),
  shared: z.boolean().default(false),
  owner: z.uuid().optional(),
})

const NoteId = z.object({ id: z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER) })

/** Verifies a token where there is one. nullpool does not: it takes the claims for granted. */
const verifyToken = createMiddleware<Environment>((c, next) => {
  if (!c.req.header('authorization')) return next()
  return jwt({ secret: c.env.JWT_SECRET, alg: 'HS256' })(c, next)
})

const app = new Hono<Environment>()

app.use(verifyToken)
// Without a token the claims are undefined, and statements run as anon.
app.use(nullpool({ claims: (c) => c.get('jwtPayload') }))

app.get('/notes', async (c) => {
  const { sql } = c.var
  return c.json(await sql`select id, owner, body, shared from notes order by id limit 100`)
})

app.post('/notes', zValidator('json', Note), async (c) => {
  const { sql } = c.var
  const { body, shared, owner } = c.req.valid('json')
  // Whoever names another owner meets the policy.
  const row = owner ? { body, shared, owner } : { body, shared }
  const [note] = await sql`insert into notes ${sql(row)} returning id, owner, body, shared`
  return c.json(note, 201)
})

app.delete('/notes/:id{[0-9]+}', zValidator('param', NoteId), async (c) => {
  const { sql } = c.var
  const [note] = await sql`delete from notes where id = ${c.req.valid('param').id} returning id`
  // Somebody else's note is not there, as far as this user can tell.
  return note ? c.body(null, 204) : c.json({ error: 'There is no such note of yours.' }, 404)
})

app.get('/summary', async (c) => {
  const [[count], latest] = await c.var.db.batch((sql) => [
    sql<{ n: number }[]>`select count(*)::int as n from notes`,
    sql`select id, body from notes order by id desc limit 3`,
  ])
  return c.json({ notes: count?.n, latest, roundTrips: c.var.db.metrics.roundTrips })
})

/** SQLSTATE of a row that a policy refuses, and of a table that a role may not touch. */
const INSUFFICIENT_PRIVILEGE = '42501'

app.onError((error, c) => {
  if (error instanceof HTTPException) return error.getResponse()
  const code = 'code' in error ? error.code : undefined
  if (code === INSUFFICIENT_PRIVILEGE) return c.json({ error: 'You may not do that.' }, 403)
  // A verified token with a role that requests may not have, such as service_role.
  if (code === 'ERR_CLAIMS') return c.json({ error: 'This token is not for requests.' }, 403)
  console.error(error)
  const busy = NullpoolError.is(error) && error.retryable
  return c.json({ error: busy ? 'Try again later.' : 'Something went wrong.' }, busy ? 503 : 500)
})

export default app
