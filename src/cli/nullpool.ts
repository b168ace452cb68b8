/** `nullpool`, from its first moment on: everything else is loaded behind this, which takes longer than a hasty Ctrl-C. */
import { holdSignals } from './held-signals.ts'

const release = holdSignals()
const { runCommandLine } = await import('./command-line.ts')
await runCommandLine(release)
