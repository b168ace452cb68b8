import { type Command, Option } from 'commander'
import { CommandFailure } from '../failure.ts'
import { givenUrl } from '../given-url.ts'
import type { WantedMode } from '../url/change-mode.ts'
import { FORMS, type FormName } from '../url/connection-forms.ts'
import { describeUrl, findingLines } from '../url/describe-url.ts'
import { explainUrl, type UrlAnswer } from '../url/explain-url.ts'
import { askPassword, readStandardInput } from '../url/read-secret.ts'

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
    .argument('[string]', 'the connection string, or - to read it; default: DATABASE_URL')
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
  const { text, variable } =
    argument === '-' ? { text: await readStandardInput() } : givenUrl(argument)
  const answer = explainUrl(text, {
    to,
    password: await passwordOf(flags),
    showSecret,
    origin: variable === undefined ? {} : { variable },
  })
  if (json) console.log(JSON.stringify(answer, null, 2))
  else if (print === undefined) console.log(describeUrl(answer, showSecret))
  else printOne(answer, print)
  if (answer.findings.some(({ level }) => level === 'error')) process.exitCode = 2
}

/** The form alone to the standard output, so that a pipe gets nothing else. */
function printOne({ forms, findings }: UrlAnswer, name: FormName): void {
  console.log(forms[name])
  const serious = findings.filter(({ level }) => level !== 'info')
  for (const line of findingLines(serious, 'stderr')) if (line !== '') console.error(line)
}

async function passwordOf({ password, passwordStdin }: Flags): Promise<string | undefined> {
  if (passwordStdin) return await readStandardInput()
  return password ? await askPassword() : undefined
}
