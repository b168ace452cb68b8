import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findFreePort } from '../../src/cli/free-port.ts'
import { DevBed } from '../support/dev-program.ts'
import { withPortTaken } from '../support/local-machine.ts'

let bed: DevBed
beforeAll(async () => {
  bed = await DevBed.make()
})
afterAll(() => bed.remove())

/** What it says, where it starts nothing. */
async function refusal(parts: readonly string[], environment?: Readonly<Record<string, string>>) {
  await using program = bed.dev(parts, environment)
  const code = await program.exitCode
  await bed.assertNothingLeft()
  expect({ code, lines: program.lines }).toEqual({ code: 2, lines: [] })
  return program.errors
}

describe('nullpool dev, before anything is started', () => {
  it('refuses one port for pooler and gateway', async () => {
    expect(await refusal(['--gateway', `${bed.port}`])).toEqual([
      expect.stringMatching(
        RegExp(
          `^nullpool: --port and --gateway are both ${bed.port}\\. Choose another one: --gateway \\d+$`,
        ),
      ),
    ])
    const other = await refusal(['--port', '8788', '--gateway'])
    expect(other[0]).toMatch(/^nullpool: --port and --gateway are both 8788\. .*: --gateway \d+$/)
  })

  it('names the option whose port somebody else has, and a port that is free', async () => {
    await withPortTaken(async (port) => {
      const [gateway, ...more] = await refusal(['--gateway', `${port}`])
      expect(more).toEqual([])
      expect(gateway).toMatch(RegExp(`^nullpool: Port ${port} is already in use\\. .*: --gateway`))
      const [pooler] = await refusal(['--port', `${port}`, '--gateway', `${await findFreePort()}`])
      expect(pooler).toMatch(RegExp(`^nullpool: Port ${port} is already in use\\. .*: --port`))
      expect(Number(/--port (\d+)$/.exec(pooler ?? '')?.[1])).not.toBe(port)
    })
  })

  it.for([
    ['', 'nullpool: --data names no folder: is the variable set in this shell?'],
    [
      '/proc/nullpool',
      'nullpool: /proc/nullpool cannot be made (ENOENT). Choose another data folder.',
    ],
    ['/etc/hostname', 'nullpool: /etc/hostname is no folder. Choose another data folder.'],
    ['/etc/hostname/data', 'nullpool: /etc/hostname/data cannot be made (ENOTDIR).'],
  ] as const)('refuses --data %j', async ([folder, words]) => {
    const errors = await refusal(['--data', folder])
    expect(errors).toEqual([expect.stringContaining(words)])
  })

  it('refuses a data folder with something else in it, and leaves that alone', async () => {
    const folder = join(bed.folder, 'else')
    await mkdir(folder)
    await writeFile(join(folder, 'thesis.txt'), '')
    expect(await refusal(['--data', folder])).toEqual([
      `nullpool: ${folder} is not empty and holds no database that nullpool created. Choose another data folder.`,
    ])
    expect(await readdir(folder)).toEqual(['thesis.txt'])
  })

  it('refuses the data of another major version, and of a server that runs', async () => {
    const folder = join(bed.folder, 'kept')
    await bed.whileUp(['--data', folder], async () => {
      await using second = bed.dev(['--port', `${await findFreePort()}`, '--data', folder])
      expect(await second.exitCode).toBe(2)
      expect(second.errors).toEqual([
        expect.stringMatching(
          /^nullpool: Another Postgres \(process \d+\) runs on .*kept already\./,
        ),
      ])
    })
    await writeFile(join(folder, 'PG_VERSION'), '16\n')
    expect(await refusal(['--data', folder])).toEqual([
      `nullpool: ${folder} holds a database of Postgres 16, and this is Postgres 18. Choose another data folder, and move what is in this one with pg_dump.`,
    ])
  })

  it.for([
    [
      { XDG_STATE_HOME: '/proc/state' },
      '/proc/state/nullpool cannot be made (ENOENT). Set XDG_STATE_HOME',
    ],
  ] as const)('says which folder of its own cannot be made: %o', async ([environment, words]) => {
    expect(await refusal([], environment)).toEqual([expect.stringContaining(words)])
  })
})
