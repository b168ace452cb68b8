import { handle } from 'hono/vercel'
import app from '../src/app.ts'

export default { fetch: handle(app) }
