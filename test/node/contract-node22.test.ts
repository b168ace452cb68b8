import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { contractElsewhere } from '../support/contract-elsewhere.ts'
import { runNode22Tests } from '../support/run-node22.ts'

it('Node 22 is the oldest that package.json allows', async () => {
  const { engines } = JSON.parse(await readFile('package.json', 'utf8'))
  const { output } = await runNode22Tests(['--version'], {})
  expect(output.trim()).toBe(`v${engines.node.replace('>=', '')}.0`)
})

contractElsewhere('Node 22', (url) =>
  runNode22Tests(['test/node22/contract.test.ts'], { DATABASE_URL: url }),
)
