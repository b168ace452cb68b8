import { databaseContract } from '../contract.ts'

databaseContract((name, run) => Deno.test(name, run))
