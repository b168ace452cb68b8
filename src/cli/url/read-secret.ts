import { password as promptPassword } from '@clack/prompts'
import { CommandFailure } from '../failure.ts'
import { askOnTerminal } from '../question.ts'

/** More is no password, and somebody else's file. */
const MAX_CHARACTERS = 8_192

/** Everything on the standard input, without the line break at its end. */
export async function readStandardInput(): Promise<string> {
  let text = ''
  process.stdin.setEncoding('utf8')
  for await (const chunk of process.stdin) {
    text += chunk
    if (text.length > MAX_CHARACTERS) throw new CommandFailure('The standard input is too long.')
  }
  return text.replace(/\r?\n$/, '')
}

/** The first line of the standard input. What is not one line is no password, and would be encoded with its breaks. */
export async function readPassword(): Promise<string> {
  const [first = '', ...others] = (await readStandardInput()).split(/\r\n?|\n/)
  if (others.every((line) => line === '')) return first
  throw new CommandFailure(
    'The standard input has more than one line. --password-stdin takes the password alone.',
  )
}

/** Asks for a password on the terminal, which does not show it. */
export async function askPassword(): Promise<string> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new CommandFailure('There is no terminal to ask on. Take --password-stdin.')
  }
  const { value } = await askOnTerminal<string>(
    (signal) => promptPassword({ message: 'Password', output: process.stderr, signal }),
    undefined,
  )
  if (value === undefined) throw new CommandFailure('Nothing was entered.', 130)
  return value
}
