import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { text as streamText } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { makeFolder } from '../support/local-machine.ts'
import { runNullpool } from '../support/run-nullpool.ts'
import { NULLPOOL } from '../support/started-program.ts'

const LONG = `postgres://u:s3cret@${'a'.repeat(300)}.example:6543/d`
const LABEL = `postgres://u:s3cret@${'a'.repeat(64)}.example:6543/d`
const NOWHERE = 'postgres://u:s3cret@127.0.0.1:1/d'

describe('nullpool, given what cannot be', () => {
  it.for([
    [['url', '--foo'], "unknown option '--foo'\n(nullpool url --help lists its options)"],
    [
      ['dev', 'node', '--watch'],
      '(nullpool dev --help lists its options; those of a program stand behind --)',
    ],
    [['docter'], '(Did you mean doctor?)\n(nullpool --help lists the commands)'],
    [['url', LONG], 'A host name has at most 253 characters'],
    [['doctor', LABEL], 'A host name has at most 253 characters, and 63 between two dots.'],
    [['connections', LABEL], 'A host name has at most 253 characters'],
    [['pool-size', LABEL], 'A host name has at most 253 characters'],
    [['pool-size', '--max-connections', '0'], "'0' is invalid. It takes a whole number from 1 on."],
    [
      ['pool-size', '--max-connections', '9', '--instances', '0'],
      'It takes a whole number from 1 on.',
    ],
    [['pool-size', NOWHERE, '--ca', ''], '--ca names no file: is the variable set in this shell?'],
    [['dev', '--sql', ''], '--sql names no file: is the variable set in this shell?'],
    [
      ['dev', '--migrations', ''],
      '--migrations names no folder: is the variable set in this shell?',
    ],
    [['connections', NOWHERE, '--admin', ''], '--admin: The connection string is empty.'],
    [
      ['connections', NOWHERE, '--admin', 's3cret'],
      '--admin: The connection string does not begin with',
    ],
  ] as const)('%j', async ([parts, words]) => {
    const { code, output, errors } = await runNullpool(parts)
    expect(code).toBe(2)
    expect(errors + output).toContain(words)
    expect(errors + output).not.toContain('s3cret')
  })

  it.for(['url', 'connections', 'pool-size'])(
    '%s names the variable that holds no URL',
    async (command) => {
      const environment = { POSTGRES_URL: 's3cret' }
      const cwd = await makeFolder()
      const { code, errors } = await runNullpool([command], { environment, cwd })
      expect(code).toBe(2)
      expect(errors).toMatch(
        /^nullpool: POSTGRES_URL in the environment: The connection string does/,
      )
      expect(errors).not.toContain('s3cret')
    },
  )

  it.for([
    ['url', NOWHERE],
    ['url', NOWHERE, '--json'],
    ['doctor', NOWHERE, '--json', '--timeout', '500'],
  ])('says that its output cannot be written: %j', async (parts) => {
    const full = openSync('/dev/full', 'w')
    const child = spawn(process.execPath, [NULLPOOL, ...parts], { stdio: ['ignore', full, 'pipe'] })
    const [errors, [code]] = await Promise.all([
      streamText(child.stderr as Readable),
      once(child, 'close'),
    ])
    closeSync(full)
    expect(errors).toBe('nullpool: The standard output takes nothing more (ENOSPC).\n')
    expect(code).toBe(2)
  })

  it('says how few connections are left in numbers that there are', async () => {
    const { code, output } = await runNullpool([
      ...['pool-size', '--max-connections', '60', '--reserved', '70'],
    ])
    expect(code).toBe(1)
    expect(output).toContain('60 less 70 reserved and 0 of others leave none')
    expect(output).not.toMatch(/-\d/)
  })

  it('has colours in every command where they are forced, and shows no default that is empty', async () => {
    const environment = { FORCE_COLOR: '1' }
    for (const parts of [
      ['doctor', NOWHERE],
      ['url', NOWHERE],
      ['pool-size', '--max-connections', '9'],
    ]) {
      expect((await runNullpool(parts, { environment })).output).toContain('\x1b[')
    }
    expect((await runNullpool(['dev', '--help'])).output).not.toContain('[]')
  })
})
