import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'

/**
 * Reads the process group to end from its standard input, the last line counts. The end of that
 * input means that the parent is gone, also where nothing could run in it any more: SIGKILL.
 */
const SCRIPT = `
group= signal= tries=50
while read -r line; do
  [ "$line" = dismissed ] && exit 0
  group=\${line% *} signal=\${line#* }
done
if [ -n "$group" ]; then
  kill -s "$signal" -- "-$group"
  while kill -s 0 -- "-$group" && [ "$tries" -gt 0 ]; do sleep 0.1; tries=$((tries - 1)); done
  kill -s KILL -- "-$group"
fi
rm -rf -- "$1"
`

/** What ends a server and removes its folder where this process ends without doing so. */
export interface ProcessGuard {
  /** Names the process group to end, instead of the one named before. */
  watch(group: number, signal: NodeJS.Signals): void
  /** There is no process to end any more. */
  forget(): void
  /** Resolves when the guard is gone. The folder and the processes stay as they are. */
  dismiss(): Promise<void>
}

/** Starts a guard for a folder. It needs `sh`; a machine without one has no guard. */
export function startGuard(folder: string): ProcessGuard {
  // In a session of its own, because Ctrl-C in a terminal reaches everyone of the terminal's.
  const guard = spawn('/bin/sh', ['-c', SCRIPT, 'nullpool-guard', folder], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  const ended = once(guard, 'exit').catch(() => {})
  // It only waits for us: that must not keep us alive.
  guard.unref()
  const input = guard.stdin as Socket
  input.unref()
  input.on('error', () => {})
  return {
    watch: (group, signal) => input.write(`${group} ${signal.replace('SIG', '')}\n`),
    forget: () => input.write('\n'),
    dismiss: () => dismiss(guard, input, ended),
  }
}

async function dismiss(guard: ChildProcess, input: Socket, ended: Promise<unknown>): Promise<void> {
  guard.ref()
  input.end('dismissed\n')
  await ended
}
