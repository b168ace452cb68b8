import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createDatabase } from 'nullpool'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { getPlatformProxy, unstable_startWorker } from 'wrangler'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

let bed: TestDatabase
let folder: string
beforeEach(async () => {
  bed = await createTestDatabase()
  folder = await mkdtemp(join(tmpdir(), 'nullpool-hyperdrive-'))
  vi.stubEnv('WRANGLER_SEND_METRICS', 'false')
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true, force: true })
  await bed[Symbol.asyncDispose]()
})

/** The configuration of a Worker with one Hyperdrive. */
async function configure(localConnectionString?: string): Promise<string> {
  const hyperdrive = { binding: 'LIBRARY', id: '0'.repeat(32), localConnectionString }
  const config = {
    name: 'library',
    main: resolve('test/support/hyperdrive-worker.ts'),
    compatibility_date: '2026-08-04',
    hyperdrive: [hyperdrive],
  }
  const path = join(folder, 'wrangler.json')
  await writeFile(path, JSON.stringify(config))
  return path
}

describe('in local development', { timeout: 120_000 }, () => {
  it('wrangler dev leads the binding to localConnectionString', async () => {
    const config = await configure(bed.url(bed.servers.postgres))
    const worker = await unstable_startWorker({
      config,
      dev: { server: { port: 0 }, inspector: false, logLevel: 'error', watch: false },
    })
    try {
      const response = await worker.fetch('http://localhost/look')
      expect(await response.json()).toEqual({
        database: bed.name,
        hosts: [expect.stringContaining('.hyperdrive.local')],
        warnings: [],
      })
    } finally {
      await worker.dispose()
    }
  })

  it.each(['CLOUDFLARE', 'WRANGLER'])(
    'getPlatformProxy leads it to %s_HYPERDRIVE_LOCAL_CONNECTION_STRING_…, in Node',
    async (prefix) => {
      const name = `${prefix}_HYPERDRIVE_LOCAL_CONNECTION_STRING_LIBRARY`
      vi.stubEnv(name, bed.url(bed.servers.postgres))
      const configPath = await configure()
      const { env, dispose } = await getPlatformProxy({ configPath, persist: false })
      try {
        const database = createDatabase()
        const [row] = await database.run(
          { env },
          ({ sql }) => sql`select current_database() as name`,
        )
        expect(row?.name).toBe(bed.name)
        // What production refuses is refused here, where the string names no Hyperdrive.
        const claims = database.run({ env }, async (scope) => scope.as({}).sql`select 1`)
        await expect(claims).rejects.toMatchObject({ code: 'ERR_CLAIMS' })
        const session = database.run({ env }, ({ sql }) => sql`set work_mem to '8MB'`)
        await expect(session).rejects.toMatchObject({ code: 'ERR_SESSION_STATE' })
      } finally {
        await dispose()
      }
    },
  )
})
