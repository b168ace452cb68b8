import { contractElsewhere } from '../support/contract-elsewhere.ts'
import { runDenoTests } from '../support/run-deno.ts'

contractElsewhere('Deno', (url) =>
  runDenoTests(['test/deno/contract.test.ts'], { DATABASE_URL: url }),
)
