/** `nullpool`: one file of `commands/` for each command. */
import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { registerConnections } from './commands/connections.ts'
import { registerDoctor } from './commands/doctor.ts'
import { explainFailure } from './failure.ts'

const manifest = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { version: string; description: string }

const program = new Command('nullpool')
  .description(manifest.description)
  .version(manifest.version)
  .showHelpAfterError('(nullpool --help lists the commands)')

registerConnections(program)
registerDoctor(program)

try {
  await program.parseAsync()
} catch (error) {
  explainFailure(error)
}
