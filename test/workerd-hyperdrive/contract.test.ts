/// <reference path="../../src/types/cloudflare.d.ts" />
import { env } from 'cloudflare:workers'
import { describe, it } from 'vitest'
import { databaseContract } from '../contract.ts'
import { contractTitle } from '../support/contract-title.ts'

it('runs in workerd, where a binding leads to the database and nothing else does', ({ expect }) => {
  expect(navigator.userAgent).toBe('Cloudflare-Workers')
  const { HYPERDRIVE, ...others } = env as Record<string, { connectionString: string }>
  expect(HYPERDRIVE?.connectionString).toContain('.hyperdrive.local:')
  expect(JSON.stringify(others)).not.toContain('postgres')
})

describe(contractTitle('workerd with Hyperdrive', 'through a binding'), () => {
  databaseContract(it)
})
