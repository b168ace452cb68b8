import { fileURLToPath } from 'node:url'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

const built = (path: string): string => fileURLToPath(new URL(`../dist/${path}`, import.meta.url))

/** The package by name is what was built, as its users get it. */
const byName = {
  'nullpool/hono': built('hono.js'),
  'nullpool/drizzle': built('drizzle.js'),
  'nullpool/kysely': built('kysely.js'),
  'nullpool/stationary': built('stationary.js'),
  nullpool: built('index.js'),
}

export default defineConfig({
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    reporters: ['default', 'test/support/left-out-reporter.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      {
        resolve: { alias: byName },
        test: {
          name: 'node',
          include: ['test/node/**/*.test.ts', 'examples/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'package',
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
          include: ['test/workerd/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
})
