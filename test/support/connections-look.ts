import { expect, inject } from 'vitest'
import type { ConnectionsSnapshot } from '../../src/cli/connections/snapshot.ts'
import { runCommand } from './command-line.ts'

/** One look by `nullpool connections --json`, which must succeed, say nothing else and hold no secret. */
export async function look(
  parameters: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<ConnectionsSnapshot> {
  const { stdout, stderr, exitCode } = await runCommand(
    ['connections', '--json', ...parameters],
    environment,
  )
  expect([stderr, exitCode]).toEqual(['', 0])
  const { password } = inject('servers').postgres
  expect(stdout).not.toContain(password)
  return JSON.parse(stdout)
}
