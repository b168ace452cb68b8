import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { assertPortFree, findFreePort } from '../../src/cli/free-port.ts'
import { makeFolder, nullpoolFolders, stillAlive, withPortTaken } from '../support/local-machine.ts'
import { StartedProgram } from '../support/started-program.ts'

describe('npm start', () => {
  let folder: string
  let environment: { PORT: string; POOLER_PORT: string; TMPDIR: string }
  beforeAll(async () => {
    folder = await makeFolder()
    const [port, poolerPort] = [await findFreePort(), await findFreePort()]
    environment = { PORT: `${port}`, POOLER_PORT: `${poolerPort}`, TMPDIR: folder }
  })
  afterAll(() => rm(folder, { recursive: true }))

  async function expectNothingLeft(processes: readonly number[]): Promise<void> {
    expect(await stillAlive(processes)).toEqual([])
    expect(await nullpoolFolders(folder)).toEqual([])
    await assertPortFree(Number(environment.PORT))
    await assertPortFree(Number(environment.POOLER_PORT))
  }

  // Twice, on the same ports: the second start finds nothing of the first in its way.
  it.for(['first', 'second'])('answers, logs and goes away, the %s time', async () => {
    await using program = new StartedProgram(environment)
    const address = `http://127.0.0.1:${environment.PORT}`
    expect(await program.line('Try it')).toBe(`Try it: curl ${address}/books`)
    expect(program.lines[0]).toBe(
      'Starting Postgres, PgBouncer and the example Worker. Ctrl-C stops them.',
    )
    const response = await fetch(`${address}/books`)
    expect(response.status).toBe(200)
    expect(await response.json()).toHaveLength(20)
    expect(await program.line('GET')).toMatch(/^GET \/books 200 \d+ ms, 1 query, \d+ round trips?$/)
    const processes = await program.descendants()
    expect(processes.length).toBeGreaterThan(5)
    program.interrupt()
    await program.line('Stopping.')
    program.interrupt()
    expect(await program.exitCode).toBe(0)
    expect(program.errors).toEqual([])
    await expectNothingLeft(processes)
  })

  it('goes away while it is still starting', async () => {
    await using program = new StartedProgram(environment)
    await program.line('Creating the database files.')
    program.interrupt()
    expect(await program.exitCode).toBe(0)
    expect(program.lines.at(-1)).toBe('Stopping.')
    await expectNothingLeft([])
  })

  it('puts Postgres on the port of the pooler where there is no PgBouncer', async () => {
    await using program = new StartedProgram({ ...environment, PGBOUNCER: '' })
    await program.line('Try it')
    expect(await program.line('PgBouncer is not installed')).toMatch(
      /Postgres itself listens on \d+.*apt-get install pgbouncer.*brew install pgbouncer/,
    )
    const response = await fetch(`http://127.0.0.1:${environment.PORT}/books`)
    expect(response.status).toBe(200)
    program.interrupt()
    expect(await program.exitCode).toBe(0)
    await expectNothingLeft([])
  })

  it.for(['PORT', 'POOLER_PORT'])('says in one line that %s is taken', async (variable) => {
    await withPortTaken(async (port) => {
      await using program = new StartedProgram({ ...environment, [variable]: `${port}` })
      expect(await program.exitCode).toBe(1)
      expect(program.errors).toEqual([
        `Port ${port} is already in use. Stop what listens there, or choose another one: ${variable}=${port + 1} npm start`,
      ])
      await expectNothingLeft([])
    })
  })

  it('says in one line that a port is none', async () => {
    await using program = new StartedProgram({ ...environment, PORT: 'soon' })
    expect(await program.exitCode).toBe(1)
    expect(program.errors).toEqual(['PORT must be a port from 1 to 65535, and is "soon".'])
  })
})
