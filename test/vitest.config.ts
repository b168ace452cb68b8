import { fileURLToPath } from 'node:url'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'
import { databaseUrl } from './support/servers.ts'

const built = (path: string): string => fileURLToPath(new URL(`../dist/${path}`, import.meta.url))

/** The package by name is what was built, as its users get it. */
const byName = {
  'nullpool/hono': built('hono.js'),
  'nullpool/drizzle': built('drizzle.js'),
  'nullpool/kysely': built('kysely.js'),
  'nullpool/neon': built('neon.js'),
  'nullpool/gateway': built('gateway/index.js'),
  'nullpool/stationary': built('stationary.js'),
  nullpool: built('index.js'),
}

/** A busy machine takes its time; what is polled for still has to come. */
const expectations = { poll: { timeout: 20_000 } }

export default defineConfig({
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    reporters: ['default', 'test/support/left-out-reporter.ts', 'test/support/matrix-reporter.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], expect: expectations } },
      {
        resolve: { alias: byName },
        test: {
          name: 'node',
          expect: expectations,
          include: ['test/node/**/*.test.ts', 'examples/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'package',
          expect: expectations,
          include: ['test/package/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        resolve: { alias: byName },
        plugins: [
          cloudflareTest({
            main: 'test/workerd/worker.ts',
            wrangler: { configPath: './wrangler.toml' },
          }),
        ],
        test: {
          name: 'workerd',
          expect: expectations,
          include: ['test/workerd/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        resolve: { alias: byName },
        plugins: [
          cloudflareTest(({ inject }) => {
            const { postgres, hyperdriveDatabase } = inject('servers')
            const HYPERDRIVE = databaseUrl(postgres, hyperdriveDatabase, postgres)
            return {
              main: 'test/workerd/worker.ts',
              wrangler: { configPath: './wrangler.toml' },
              miniflare: { hyperdrives: { HYPERDRIVE } },
            }
          }),
        ],
        test: {
          name: 'workerd-hyperdrive',
          expect: expectations,
          include: ['test/workerd-hyperdrive/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
})
