import { createDatabase } from 'nullpool'
import { describe, inject, it } from 'vitest'
import { databaseContract } from '../contract.ts'
import { workerdBed } from '../support/workerd-bed.ts'

describe.skipIf(!inject('servers').pgbouncer)('in workerd, through PgBouncer', () => {
  const bed = workerdBed()

  it('runs in workerd', ({ expect }) => {
    expect(navigator.userAgent).toBe('Cloudflare-Workers')
  })

  databaseContract(it, { database: () => createDatabase({ url: bed.url }) })
})
