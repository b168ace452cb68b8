import { type Command, Option } from 'commander'
import type { ConnectionOrigin } from '../../connection-findings.ts'
import { CommandFailure } from '../failure.ts'
import { type GivenUrl, givenUrl, tellForm } from '../source/given-url.ts'
import { type PastedUrl, readPastedUrl } from '../source/pasted-url.ts'
import type { WantedMode } from '../url/change-mode.ts'
import { FORMS, type FormName } from '../url/connection-forms.ts'
import { describeUrl, findingLines } from '../url/describe-url.ts'
import { explainUrl, type UrlAnswer } from '../url/explain-url.ts'
import { askPassword, readPassword, readStandardInput } from '../url/read-secret.ts'

interface Flags {
  to?: WantedMode
  password?: boolean
  passwordStdin?: boolean
  print?: FormName
  showSecret?: boolean
  json?: boolean
}

/** Adds `nullpool url`. */
export function registerUrl(program: Command): void {
  program
    .command('url')
    .description('explain a connection string, and write it for where it goes')
    .argument(
      '[string]',
      'the connection string, or - to read it; default: DATABASE_URL, .dev.vars, .env, Wrangler’s configuration',
    )
    .addOption(
      new Option('--to <mode>', 'the same database in another mode').choices([
        'transaction',
        'session',
        'direct',
      ]),
    )
    .option('--password', 'ask for the password, and percent-encode it')
    .option('--password-stdin', 'read the password from the standard input')
    .addOption(new Option('--print <form>', 'print this alone').choices(FORMS))
    .option('--show-secret', 'show the password')
    .option('--json', 'print one JSON document')
    .action(run)
}

async function run(argument: string | undefined, flags: Flags): Promise<void> {
  const { to, print, showSecret = false, json } = flags
  if (argument === '-' && flags.passwordStdin) {
    throw new CommandFailure('The standard input is read once: for the string or for the password.')
  }
  const given =
    argument === '-' ? readPastedUrl(await readStandardInput()) : await givenUrl(argument)
  const answer = explainUrl(given, {
    to,
    password: await passwordOf(flags),
    showSecret,
    origin: originOf(given),
  })
  if (json) console.log(JSON.stringify(answer, null, 2))
  else if (print === undefined) console.log(describeUrl(answer, showSecret))
  else {
    tellForm(given)
    printOne(answer, print)
  }
  if (answer.findings.some(({ level }) => level === 'error')) process.exitCode = 2
}

function originOf(given: PastedUrl | GivenUrl): ConnectionOrigin {
  if (!('kind' in given) || given.kind === 'argument') return {}
  return { variable: given.name, hyperdriveBinding: given.kind === 'wrangler' }
}

/** The form alone to the standard output, so that a pipe gets nothing else. */
function printOne({ forms, findings }: UrlAnswer, name: FormName): void {
  console.log(forms[name])
  const serious = findings.filter(({ level }) => level !== 'info')
  for (const line of findingLines(serious, 'stderr')) if (line !== '') console.error(line)
}

async function passwordOf({ password, passwordStdin }: Flags): Promise<string | undefined> {
  if (passwordStdin) return await readPassword()
  return password ? await askPassword() : undefined
}
