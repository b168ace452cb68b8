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
