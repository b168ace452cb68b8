import { createDatabase } from 'nullpool'
import { databaseContract } from '../contract.ts'

databaseContract((name, run) => Deno.test(name, run), {
  database: () => createDatabase(),
})
