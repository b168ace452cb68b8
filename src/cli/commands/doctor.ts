import { env, stderr, stdout } from 'node:process'
import { type Command, InvalidArgumentError } from 'commander'
import type { DoctorOptions } from '../doctor/examination.ts'
import { TextRenderer } from '../doctor/render-text.ts'
import { runExamination } from '../doctor/run-examination.ts'
import { readAuthority } from '../source/read-authority.ts'

interface Flags {
  json?: boolean
  strict?: boolean
  showSecret?: boolean
  stationary?: boolean
  resolver?: string
  timeout: number
  ca?: string
  serverName?: string
}

/** `nullpool doctor [url]`. */
export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('find out why a connection string does not work, or what it costs')
    .argument('[url]', 'default: DATABASE_URL, .dev.vars, .env, Wrangler’s configuration')
    .option('--json', 'print one JSON document')
    .option('--strict', 'end with 1 where there are warnings')
    .option('--show-secret', 'print the password in the connection string to use')
    .option('--stationary', 'the string is for a server that lives long')
    .option('--resolver <address>', 'ask this DNS server: 1.1.1.1, [::1]:5353', parseResolver)
    .option('--timeout <ms>', 'the longest wait of a single thing', parseTimeout, 5_000)
    .option('--ca <file>', 'trust this root certificate, as tls: { ca }')
    .option('--server-name <name>', 'the name in the certificate, as tls: { serverName }')
    .action(examine)
}

async function examine(url: string | undefined, flags: Flags): Promise<void> {
  const { json = false, strict = false, showSecret = false } = flags
  const renderer = new TextRenderer()
  const report = await runExamination(await optionsOf(url, flags), {
    strict,
    showSecret,
    onStep(step) {
      if (!json) stdout.write(renderer.step(step))
      else if (stderr.isTTY) stderr.write(`${step.step}: ${step.verdict}\n`)
    },
  })
  stdout.write(json ? `${JSON.stringify(report, undefined, 2)}\n` : renderer.end(report))
  process.exitCode = report.exitCode
}

async function optionsOf(url: string | undefined, flags: Flags): Promise<DoctorOptions> {
  const { resolver, serverName, stationary } = flags
  return {
    ...(url === undefined ? {} : { url }),
    ...(resolver === undefined ? {} : { resolver }),
    ...(serverName === undefined ? {} : { serverName }),
    ...(stationary === undefined ? {} : { stationary }),
    ...(flags.ca === undefined ? {} : { ca: await readAuthority(flags.ca) }),
    directory: process.cwd(),
    environment: env,
    timeoutMs: flags.timeout,
  }
}

function parseTimeout(text: string): number {
  const milliseconds = Number(text)
  if (Number.isInteger(milliseconds) && milliseconds >= 100 && milliseconds <= 60_000)
    return milliseconds
  throw new InvalidArgumentError('It takes milliseconds, from 100 to 60000.')
}

function parseResolver(text: string): string {
  if (/^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f:]*:[0-9a-f:]+|\[[0-9a-f:]+\])(:\d{1,5})?$/i.test(text))
    return text
  throw new InvalidArgumentError(
    'It takes an IP address, with :port behind it where that is not 53.',
  )
}
