import { createGuard } from '../src/guard/guard.ts'
import { statementMessages, statementText } from '../src/wire/messages.ts'
import type { Client } from './clients.ts'

const QUERIES = 2_000
const LOOKS = 200_000

/** An ordinary statement, and one with a word in it that has to be read. */
const SELECT = 'select $1::int as id, $2::text as name, now() as at'
const UPDATE = 'update books set title = $1, price = $2 where id = $3 returning *'

/**
 * How much of a warm query goes into looking at its text, as a share of its time: for a statement that
 * is let through at a glance, and for one that is read once and known from then on.
 */
export async function guardCost(client: Client): Promise<{ select: number; update: number }> {
  let queryMs = Number.NaN
  await client.request(async (run) => {
    for (let n = 0; n < QUERIES; n += 1) await run(SELECT, [n, 'alice'])
    const startedAt = performance.now()
    for (let n = 0; n < QUERIES; n += 1) await run(SELECT, [n, 'alice'])
    queryMs = (performance.now() - startedAt) / QUERIES
  })
  return { select: lookMs(SELECT) / queryMs, update: lookMs(UPDATE) / queryMs }
}

/** The text is read from the message, as a front does it. */
function lookMs(text: string): number {
  const [message] = statementMessages(text)
  const guard = createGuard({ session: 'throw', claims: 'throw', warn: () => undefined })
  if (!message || !guard) return Number.NaN
  const look = (): void => {
    for (let n = 0; n < LOOKS; n += 1) if (guard(statementText(message))) throw new Error(text)
  }
  look()
  const startedAt = performance.now()
  look()
  return (performance.now() - startedAt) / LOOKS
}
