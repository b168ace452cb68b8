/** `nullpool`: one file of `commands/` for each command. */
import { Command } from 'commander'
import { registerConnections } from './commands/connections.ts'
import { registerDev } from './commands/dev.ts'
import { registerDoctor } from './commands/doctor.ts'
import { registerPoolSize } from './commands/pool-size.ts'
import { registerUrl } from './commands/url.ts'
import { explainFailure } from './failure.ts'
import { manifest } from './manifest.ts'

const program = new Command('nullpool')
  .description(manifest.description)
  .version(manifest.version)
  .showHelpAfterError('(nullpool --help lists the commands)')

registerDev(program)
registerUrl(program)
registerPoolSize(program)
registerConnections(program)
registerDoctor(program)

try {
  await program.parseAsync()
} catch (error) {
  explainFailure(error)
}
