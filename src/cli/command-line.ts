/** The command line: one file of `commands/` for each command. */
import { Command } from 'commander'
import { registerConnections } from './commands/connections.ts'
import { registerDev } from './commands/dev.ts'
import { registerDoctor } from './commands/doctor.ts'
import { registerPoolSize } from './commands/pool-size.ts'
import { registerUrl } from './commands/url.ts'
import { explainFailure } from './failure.ts'
import { letThrough, type ReleaseSignals } from './held-signals.ts'
import { manifest } from './manifest.ts'

/** What ends by itself when it is told to. */
const TAKE_SIGNALS = ['dev', 'connections']

/** Runs what the arguments of this process say. */
export async function runCommandLine(release: ReleaseSignals): Promise<void> {
  const program = new Command('nullpool')
    .description(manifest.description)
    .version(manifest.version)
    .showHelpAfterError('(nullpool --help lists the commands)')
    // 1 is an answer of commands: warnings, a pool that does not fit. The commands inherit it.
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
    .hook('preAction', (_program, command) => {
      if (!TAKE_SIGNALS.includes(command.name())) letThrough(release)
    })
  leaveWithReader()
  registerDev(program, release)
  registerUrl(program)
  registerPoolSize(program)
  registerConnections(program, release)
  registerDoctor(program)
  for (const command of program.commands) {
    const beside = command.name() === 'dev' ? '; those of a program stand behind --' : ''
    command.showHelpAfterError(`(nullpool ${command.name()} --help lists its options${beside})`)
  }
  try {
    await program.parseAsync()
  } catch (error) {
    explainFailure(error)
  }
}

/** Whoever has read enough, as `head` does, is no failure; what cannot be written, as on a full disk, is one. */
function leaveWithReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', ({ code }: NodeJS.ErrnoException) => {
      if (code === 'EPIPE') process.exit()
      if (stream === process.stdout) {
        explainFailure(new Error(`The standard output takes nothing more (${code}).`))
      }
      process.exit(2)
    })
  }
}
