import { createDatabase } from 'nullpool'
import { describe, inject, it } from 'vitest'
import { databaseUrl } from '../support/servers.ts'

const { pgbouncer, postgres, ca } = inject('servers')

const url = (at: { host: string; port: number }): string => databaseUrl(at, 'postgres', postgres)

describe.skipIf(!pgbouncer)('TLS in workerd', () => {
  const at = pgbouncer ?? postgres

  it('refuses a certificate that the runtime does not trust, and names the ways out', async ({
    expect,
  }) => {
    await using scope = createDatabase({ url: url(at), tls: 'verify' }).scope()
    const error = await Promise.resolve(scope.sql`select 1`).catch((cause: unknown) => cause)
    expect(error).toMatchObject({ code: 'ERR_TLS_UNTRUSTED', retryable: false })
    for (const way of ['Hyperdrive', 'transport', "tls to 'disable'"]) {
      expect(String(error)).toContain(way)
    }
    expect(scope.metrics.queries).toBe(0)
  })

  it('refuses options that the runtime would ignore', async ({ expect }) => {
    await using scope = createDatabase({ url: url(at), tls: { ca } }).scope()
    await expect(scope.sql`select 1`).rejects.toMatchObject({ code: 'ERR_OPTIONS' })
  })

  it('tells a server that hangs up from a certificate', async ({ expect }) => {
    await using scope = createDatabase({ url: url({ host: '127.0.0.1', port: 1 }) }).scope()
    await expect(scope.sql`select 1`).rejects.toMatchObject({ code: 'ERR_CONNECT_REFUSED' })
  })
})
