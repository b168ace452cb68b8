import { describe, inject, it } from 'vitest'
import { databaseContract } from '../contract.ts'
import { contractTitle } from '../support/contract-title.ts'
import { databaseUrl } from '../support/servers.ts'
import { workerdBed } from '../support/workerd-bed.ts'

const { pgbouncer, postgres, workerdDatabase } = inject('servers')

it('runs in workerd', ({ expect }) => {
  expect(navigator.userAgent).toBe('Cloudflare-Workers')
})

describe.skipIf(!pgbouncer)(contractTitle('workerd', 'through PgBouncer'), () => {
  databaseContract(it, { url: workerdBed().url })
})

describe(contractTitle('workerd', 'on Postgres itself'), () => {
  databaseContract(it, { url: databaseUrl(postgres, workerdDatabase, postgres) })
})
