import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { NULLPOOL } from './started-program.ts'

/** What a command has said, and how it ended. */
export interface CommandResult {
  code: number | null
  output: string
  errors: string
}

/** What a command is given beside its arguments. */
export interface CommandInput {
  input?: string
  environment?: Readonly<Record<string, string>>
  cwd?: string
  /** Another copy of the command line. */
  file?: string
}

/** What of this process's environment would change the answers. */
const UNSET = ['DATABASE_URL', 'POSTGRES_URL', 'SUPABASE_DB_URL', 'FORCE_COLOR', 'NO_COLOR']

/** Runs the built command line until it ends. */
export async function runNullpool(
  parts: readonly string[],
  { input = '', environment = {}, cwd, file = NULLPOOL }: CommandInput = {},
): Promise<CommandResult> {
  const own = Object.entries(process.env).filter(([name]) => !UNSET.includes(name))
  const child = spawn(process.execPath, [file, ...parts], {
    cwd,
    env: { ...Object.fromEntries(own), ...environment },
  })
  // Who does not read its input may have gone already.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const [output, errors] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ])
  return { code: child.exitCode, output, errors }
}
