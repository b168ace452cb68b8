import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** What `wrangler deploy` would upload. */
export interface WorkerUpload {
  /** The text of the module. */
  module: string
  /** What Wrangler said on the way, its warnings too. */
  output: string
  /** As Wrangler counts them, compressed. */
  gzipBytes: number
}

/**
 * Bundles a Worker as `wrangler deploy` would, and keeps all of it here.
 *
 * @param entry - Its module; `undefined` for the one that the configuration names.
 */
export async function dryRun(
  entry: string | undefined,
  config = 'wrangler.toml',
): Promise<WorkerUpload> {
  const folder = await mkdtemp(join(tmpdir(), 'nullpool-worker-'))
  const into = ['--outdir', folder, '--config', config]
  try {
    const { stdout, stderr } = await run(
      'npx',
      ['wrangler', 'deploy', ...(entry ? [entry] : []), '--dry-run', ...into],
      { env: { ...process.env, WRANGLER_SEND_METRICS: 'false', CI: 'true', NO_COLOR: '1' } },
    )
    const output = stdout + stderr
    const [, kibibytes] = /gzip: ([\d.]+) KiB/.exec(output) ?? []
    if (kibibytes === undefined) throw new Error(`Wrangler did not tell the size:\n${output}`)
    const module = await readFile(
      join(folder, basename(entry ?? 'index.ts').replace(/\.ts$/, '.js')),
      'utf8',
    )
    return { module, output, gzipBytes: Number(kibibytes) * 1024 }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Bundles a Worker as `wrangler deploy` would, and returns the module's text. */
export async function bundleWorker(entry: string): Promise<string> {
  const { module } = await dryRun(entry)
  return module
}
