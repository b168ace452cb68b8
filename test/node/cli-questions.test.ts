import { cp, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findFreePort } from '../../src/cli/free-port.ts'
import { makeFolder } from '../support/local-machine.ts'
import { hasPseudoTerminal, PseudoTerminal } from '../support/pseudo-terminal.ts'
import { NULLPOOL } from '../support/started-program.ts'

const [CTRL_C, CTRL_D, ESCAPE] = ['\x03', '\x04', '\x1b']
const SHOW_CURSOR = '\x1b[?25h'

/** What a terminal shows of a question that is answered with these keys, and the command's exit code. */
async function answered(terminal: PseudoTerminal, question: string, keys: string) {
  await using asked = terminal
  await asked.shows((screen) => screen.includes(question))
  asked.type(keys)
  await asked.exited
  const { output } = asked
  // The terminal's settings are as they were, and so is its cursor.
  const [, code] = /as before, code (\d+)/.exec(output) ?? []
  expect(output.lastIndexOf(SHOW_CURSOR)).toBeGreaterThan(output.lastIndexOf('\x1b[?25l'))
  return { code: Number(code), output }
}

describe.skipIf(!hasPseudoTerminal)('a question on the terminal', () => {
  const parts = ['url', 'postgres://u@h.example:6543/x', '--password', '--print', 'string']

  it('takes what is typed, and does not show it', async () => {
    const { code, output } = await answered(new PseudoTerminal(parts), 'Password', 's3cret\r')
    expect(code).toBe(0)
    expect(output).toContain('postgresql://u:***@h.example:6543/x')
    expect(output).not.toContain('s3cret')
  })

  it.for([
    ['Escape', ESCAPE],
    ['Ctrl-C', CTRL_C],
    ['Ctrl-D', CTRL_D],
    ['Ctrl-D behind some letters', `abc${CTRL_D}`],
  ] as const)('ends with 130 by %s, and gives the cursor back', async ([, keys]) => {
    const { code, output } = await answered(new PseudoTerminal(parts), 'Password', keys)
    expect(output).toContain('nullpool: Nothing was entered.')
    expect(code).toBe(130)
  })

  it.for([
    ['Ctrl-C', CTRL_C, 0, 'Stopping.'],
    ['Ctrl-D', CTRL_D, 2, 'Postgres is not installed.'],
    ['Escape', ESCAPE, 2, 'Postgres is not installed.'],
    ['n', 'n', 2, 'Postgres is not installed.'],
  ] as const)('of nullpool dev: %s', async ([, keys, wanted, words]) => {
    // A copy away from this repository's own Postgres, and a user who has none either.
    const folder = await makeFolder()
    await cp(dirname(NULLPOOL), join(folder, 'dist', 'cli'), { recursive: true })
    await cp(new URL('../../package.json', import.meta.url), join(folder, 'package.json'))
    const file = join(folder, 'dist', 'cli', 'nullpool.js')
    const port = await findFreePort()
    const terminal = new PseudoTerminal(['dev', '--port', `${port}`], {
      ...{ file, cwd: folder },
      environment: { XDG_CACHE_HOME: join(folder, 'cache') },
    })
    const { code, output } = await answered(terminal, 'Install', keys)
    await rm(folder, { recursive: true })
    expect(output).toContain(words)
    expect(code).toBe(wanted)
  })
})
