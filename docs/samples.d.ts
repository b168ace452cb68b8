/**
 * Names that the samples of README.md and of these pages take for given. A test compiles every block marked
 * `ts` with them, and runs those marked `ts run`, where test/support/documentation-samples.ts gives them values.
 */
import type { Context, Hono } from 'hono'
import type { NullpoolVariables } from 'nullpool/hono'

declare global {
  /** What a handler and its app are. */
  const c: Context<{ Variables: NullpoolVariables }>
  const app: Hono<{ Variables: NullpoolVariables }>
  const error: unknown
  const next: () => Promise<void>

  /** Of a library. */
  const author: string
  const title: string
  const id: number
  const ids: number[]
  const schema: Record<string, never>
  interface Book {
    id: number
    title: string
    author: string
  }
  interface Database {
    books: Book
  }
  class OutOfStock extends Error {}

  /** Of a bank. */
  const amount: number
  const from: number
  const to: number
  const verifiedClaims: { sub: string; role: string }

  /** Of a configuration. */
  const text: string
  const url: string
  const secret: string
  const token: string
  const env: { GATEWAY_TOKEN: string }
  const DATABASE_URL: string
  const GATEWAY_TOKEN: string
  interface Env {
    DATABASE_URL: string
    REPORTS: { connectionString: string }
  }

  /** Of the Workers runtime, as `wrangler types` writes it. */
  interface ExecutionContext {
    waitUntil(promise: Promise<unknown>): void
  }
  interface ExportedHandler {
    fetch?(request: Request, env: unknown, context: ExecutionContext): Response | Promise<Response>
    scheduled?(event: { cron: string }, env: unknown, context: ExecutionContext): unknown
    queue?(
      batch: { messages: readonly { body: unknown }[] },
      env: unknown,
      context: ExecutionContext,
    ): unknown
  }
}
