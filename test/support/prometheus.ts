import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { type RunningServer, startServer } from '../../src/cli/child-process.ts'
import { createServerFolder, type ServerFolder } from '../../src/cli/server-folder.ts'
import { serverIdentity } from '../../src/cli/server-identity.ts'

/** The system's Prometheus, or the one that `PROMETHEUS` names; nothing is downloaded. */
export const prometheusPath: string | undefined = [
  process.env.PROMETHEUS ?? '',
  ...(process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'prometheus')),
].find((path) => path !== '' && existsSync(path))

/** A series of an answer: its labels, and its values with their times. */
export interface Series {
  metric: Readonly<Record<string, string>>
  values: [seconds: number, value: string][]
}

/** What promtool says of metrics in the text format. Nothing: there is nothing to mend. */
export async function checkMetrics(metrics: string): Promise<string> {
  const child = spawn(promtool(), ['check', 'metrics'], { stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin.end(metrics)
  return (await Promise.all([text(child.stdout), text(child.stderr)])).join('')
}

/** A Prometheus of its own process, on a free port of the loopback address. */
export class Prometheus implements AsyncDisposable {
  /** Where its HTTP API is. */
  readonly origin: string
  readonly #server: RunningServer
  readonly #folder: ServerFolder

  private constructor(server: RunningServer, folder: ServerFolder, origin: string) {
    this.#server = server
    this.#folder = folder
    this.origin = origin
  }

  /** Starts it with a configuration, which promtool has to accept. */
  static async start(configuration: string): Promise<Prometheus> {
    const folder = await createServerFolder('prometheus', await serverIdentity())
    try {
      const config = await folder.write('prometheus.yml', configuration)
      await promisify(execFile)(promtool(), ['check', 'config', config])
      return await listen(folder, config)
    } catch (error) {
      await folder.remove()
      throw error
    }

    async function listen(at: ServerFolder, config: string): Promise<Prometheus> {
      let address = ''
      const server = await startServer(
        {
          file: prometheusPath ?? '',
          arguments: [
            `--config.file=${config}`,
            `--storage.tsdb.path=${join(at.path, 'data')}`,
            '--web.listen-address=127.0.0.1:0',
          ],
          folder: at,
          onLog(line) {
            address ||= /msg="Listening on" address=(\S+)/.exec(line)?.[1] ?? ''
          },
        },
        { readyLine: 'Server is ready to receive web requests', stopSignal: 'SIGTERM' },
      )
      return new Prometheus(server, at, `http://${address}`)
    }
  }

  /** What an expression is at this moment; each series has one value. */
  async now(query: string): Promise<Series[]> {
    const result = await this.#ask<{ metric: Series['metric']; value: Series['values'][0] }[]>(
      'query',
      { query },
    )
    return result.map(({ metric, value }) => ({ metric, values: [value] }))
  }

  /** What an expression was in the last seconds, with one value a second. */
  async lately(query: string, seconds: number): Promise<Series[]> {
    const end = Date.now() / 1000
    const range = { start: `${end - seconds}`, end: `${end}`, step: '1' }
    return await this.#ask('query_range', { query, ...range })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop()
    await this.#folder.remove()
  }

  async #ask<Result>(path: string, parameters: Record<string, string>): Promise<Result> {
    const url = `${this.origin}/api/v1/${path}?${new URLSearchParams(parameters)}`
    const answer = (await (await fetch(url)).json()) as {
      error?: string
      data?: { result: Result }
    }
    if (answer.data === undefined) throw new Error(`${parameters.query}: ${answer.error}`)
    return answer.data.result
  }
}

function promtool(): string {
  return join(dirname(prometheusPath ?? ''), 'promtool')
}
