import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DevBed } from '../support/dev-program.ts'
import { NULLPOOL, StartedProgram } from '../support/started-program.ts'

let bed: DevBed
beforeAll(async () => {
  bed = await DevBed.make()
})
afterAll(() => bed.remove())

describe('nullpool dev, interrupted while it starts', () => {
  it.for(['SIGINT', 'SIGTERM'] as const)(
    'ends with 0 by %s before it has read its options',
    async (signal) => {
      // The first thing that the command line looks at sends the signal.
      const preload = `
      const { get } = Object.getOwnPropertyDescriptor(process, 'stdout')
      Object.defineProperty(process, 'stdout', { configurable: true, get() {
        Object.defineProperty(process, 'stdout', { get })
        process.kill(process.pid, '${signal}')
        return process.stdout
      } })`
      const first = ['--import', `data:text/javascript,${encodeURIComponent(preload)}`]
      const parts = [...first, NULLPOOL, 'dev', '--port', `${bed.port}`]
      await using program = new StartedProgram(bed.environment, parts)
      expect(await program.exitCode, program.errors.join('\n')).toBe(0)
      expect(program).toMatchObject({ lines: [], errors: ['Stopping.'] })
      await bed.assertNothingLeft()
    },
  )

  it.for([
    ['Creating the database files.', 'SIGINT'],
    ['is up on port', 'SIGTERM'],
  ] as const)('leaves nothing behind: %s %s', async ([line, signal]) => {
    await using program = bed.dev([])
    await program.error(line)
    const processes = await program.descendants()
    program.interrupt(signal)
    expect(await program.exitCode, program.errors.join('\n')).toBe(0)
    expect(program.errors.at(-1)).toBe('Stopping.')
    await bed.assertNothingLeft(processes)
  })

  it.for(['SIGINT', 'SIGTERM'] as const)('waits for no statement of a file: %s', async (signal) => {
    const [first, endless] = [join(bed.folder, 'first.sql'), join(bed.folder, 'endless.sql')]
    await writeFile(first, 'select 1')
    await writeFile(endless, 'select pg_sleep(3600)')
    await using program = bed.dev(['--sql', first, '--sql', endless])
    await program.error('Ran first.sql.')
    const processes = await program.descendants()
    program.interrupt(signal)
    expect(await program.exitCode, program.errors.join('\n')).toBe(0)
    expect(program.errors.at(-1)).toBe('Stopping.')
    await bed.assertNothingLeft(processes)
  })
})
