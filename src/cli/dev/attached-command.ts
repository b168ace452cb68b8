import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import { signalGroup } from '../child-process.ts'
import { CommandFailure } from '../failure.ts'
import { createServerFolder, type ServerFolder } from '../server-folder.ts'
import { within } from '../time-limit.ts'

/** How long a command may take to end once it was told to, and again for each next signal. */
const END_WITHIN_MS = 5_000

/** A program of the user's that runs beside the servers, on their terminal. */
export interface AttachedCommand {
  /** Resolves with its exit code when it has ended; 128 and the signal's number where that ended it. */
  readonly ended: Promise<number>
  /** Passes the signal on and waits; SIGTERM and then SIGKILL where that does not help. */
  stop(signal: NodeJS.Signals): Promise<number>
}

/**
 * Starts a program with more environment. It shares our standard input, output and error.
 *
 * In a terminal it shares the terminal too, so that its keys work; Ctrl-C reaches it from there. Elsewhere
 * it leads a group of its own, which signals reach as a whole, and which ends with us even where we are killed.
 */
export async function startCommand(
  [file = '', ...parameters]: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<AttachedCommand> {
  const ownGroup = !process.stdin.isTTY
  const folder = await createServerFolder('command')
  const child = spawn(file, parameters, {
    stdio: 'inherit',
    detached: ownGroup,
    env: { ...process.env, ...environment },
  })
  if (ownGroup && child.pid !== undefined) folder.guard.watch(child.pid, 'SIGTERM')
  const ended = ending(child, file, folder)
  // Whoever waits for it hears of it; nobody does while another thing fails.
  ended.catch(() => {})
  return {
    ended,
    async stop(signal) {
      // The terminal has told it already.
      if (ownGroup || signal !== 'SIGINT') tell(child, ownGroup, signal)
      for (const next of ['SIGTERM', 'SIGKILL'] as const) {
        const outcome = await within(END_WITHIN_MS, [ended.catch(() => 1)])
        if (outcome === undefined) tell(child, ownGroup, next)
      }
      return await ended
    },
  }
}

async function ending(child: ChildProcess, file: string, folder: ServerFolder): Promise<number> {
  try {
    await once(child, 'exit')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new CommandFailure(`"${file}" cannot be run (${code}).`, {
      exitCode: code === 'ENOENT' ? 127 : 126,
      cause: error,
    })
  } finally {
    // What it leaves behind in its group, as shells do.
    if (child.pid !== undefined && !process.stdin.isTTY) signalGroup(child.pid, 'SIGTERM')
    folder.guard.forget()
    await folder.remove()
  }
  const { exitCode, signalCode } = child
  return exitCode ?? 128 + (signalCode === null ? 0 : constants.signals[signalCode])
}

function tell(child: ChildProcess, ownGroup: boolean, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  if (ownGroup) signalGroup(child.pid, signal)
  else child.kill(signal)
}
