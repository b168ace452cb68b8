import { type Command, InvalidArgumentError } from 'commander'
import { advisePoolSize } from '../pool-size/advise-pool-size.ts'
import { askServer } from '../pool-size/ask-server.ts'
import { describePoolSize } from '../pool-size/describe-pool-size.ts'
import { givenUrl, tellForm } from '../source/given-url.ts'
import { readAuthority } from '../source/read-authority.ts'

interface Flags {
  maxConnections?: number
  reserved?: number
  other?: number
  dataApi?: boolean
  instances: number
  ca?: string
  json?: boolean
}

/** Adds `nullpool pool-size`. */
export function registerPoolSize(program: Command): void {
  program
    .command('pool-size')
    .description('say how large a pool may be, from flags or from a live server')
    .argument(
      '[url]',
      'the server to ask; default without --max-connections: DATABASE_URL, .dev.vars, .env',
    )
    .option('--max-connections <number>', 'what the server allows', readLeast(1))
    .option(
      '--reserved <number>',
      'what it keeps for superusers; default: what it says, or 3',
      readLeast(0),
    )
    .option(
      '--other <number>',
      'of other pools and tools; default: who is connected now',
      readLeast(0),
    )
    .option('--data-api', 'the Data API is in use: 40 %; default: whether it is connected now')
    .option('--no-data-api', 'it is not: up to 80 %')
    .option('--instances <number>', 'of a server that stays', readLeast(1), 1)
    .option('--ca <file>', 'the authority to trust, PEM')
    .option('--json', 'print one JSON document')
    .action(run)
}

async function run(argument: string | undefined, flags: Flags): Promise<void> {
  const { maxConnections, reserved, other, dataApi, instances, ca, json } = flags
  const asks = argument !== undefined || maxConnections === undefined
  const authority = ca === undefined ? undefined : await readAuthority(ca)
  const server = asks ? await ask(argument, authority) : undefined
  const answer = advisePoolSize({
    ...{ maxConnections, reserved, others: other, dataApi, instances, server },
  })
  console.log(json ? JSON.stringify(answer, null, 2) : describePoolSize(answer))
  // Worth a warning in a script, and no failure.
  if (!answer.fits) process.exitCode = 1
}

async function ask(argument: string | undefined, authority: string | undefined) {
  const given = await givenUrl(argument, ' Or give --max-connections.')
  tellForm(given)
  return await askServer(given.text, authority)
}

function readLeast(least: number): (text: string) => number {
  return (text) => {
    if (/^\d{1,6}$/.test(text) && Number(text) >= least) return Number(text)
    throw new InvalidArgumentError(
      `It takes a whole number${least > 0 ? ` from ${least} on` : ''}.`,
    )
  }
}
