import assert from 'node:assert/strict'
import { createDatabase } from 'nullpool'
import { DONE, work } from '../support/neon-work.ts'

Deno.test("Neon's driver works in Deno, over TCP", async () => {
  assert.deepEqual(await createDatabase().run({}, work), DONE)
})
