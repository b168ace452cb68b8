import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { startPostgres } from '../../src/cli/postgres-server.ts'
import { makeCertificates, SUPABASE_HOST } from '../support/certificates.ts'
import { runDenoTests } from '../support/run-deno.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const { postgres, ca, caFile, otherCa } = inject('servers')

describe('in Deno', { timeout: 120_000 }, () => {
  let bed: TestDatabase
  beforeAll(async () => {
    bed = await createTestDatabase()
  })
  afterAll(() => bed[Symbol.asyncDispose]())

  const run = async (
    name: string,
    at: { host: string; port: number },
    more: Record<string, string> = {},
  ): Promise<string[]> => {
    const environment = { ...more, DATABASE_URL: bed.url(at), TEST_CA: ca, TEST_OTHER_CA: otherCa }
    const { passed, failed, output } = await runDenoTests(
      [`test/deno/${name}.test.ts`],
      environment,
    )
    expect(failed, output).toEqual([])
    expect(passed.length, output).toBeGreaterThan(0)
    return passed
  }

  it('passes the tests of its own: roots', async () => {
    const certificates = await makeCertificates()
    const impostor = await startPostgres({ tls: certificates.impostor })
    try {
      await run('roots', postgres, {
        DENO_CERT: caFile,
        TEST_IMPOSTOR_URL: impostor.url(),
        TEST_SUPABASE_HOST: SUPABASE_HOST,
      })
    } finally {
      await impostor.stop()
      await certificates.remove()
    }
  })

  it('passes the tests of its own: tls', async () => {
    const certificates = await makeCertificates()
    const early = await startPostgres({ tls: certificates.early })
    try {
      const more = { TEST_EARLY_URL: early.url(), TEST_EARLY_CA: certificates.ca.pem }
      await run('tls', postgres, more)
    } finally {
      await early.stop()
      await certificates.remove()
    }
  })

  it.each(['transport', 'functions', 'permissions', 'neon'])(
    'passes the tests of its own: %s',
    async (name) => {
      await run(name, postgres)
    },
  )
})
