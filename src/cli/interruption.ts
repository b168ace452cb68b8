import { constants } from 'node:os'
import type { ReleaseSignals } from './held-signals.ts'

/** The first signal to stop. */
export interface Interruption {
  /** Aborts with it. */
  readonly signal: AbortSignal
  /** Resolves with it, and never rejects. */
  readonly happened: Promise<void>
  /** The signal that came, for whoever passes it on. */
  readonly name: NodeJS.Signals | undefined
}

/** 128 and the signal's number, as shells have it; 0 where whoever read along has gone. */
export function exitCodeOf({ name }: Interruption): number {
  return name === undefined ? 0 : 128 + constants.signals[name]
}

/**
 * Takes the signals that end a program, so that it can end what it has started.
 *
 * @param release - Gives back the signals that were held until now; one that has come counts.
 *
 * Every signal but the first is of no use: npm passes on the Ctrl-C that reached us already.
 */
export function takeInterruption(
  onFirst: () => void,
  release: ReleaseSignals = () => undefined,
): Interruption {
  const controller = new AbortController()
  let name: NodeJS.Signals | undefined
  const interrupt = (received?: NodeJS.Signals) => {
    if (controller.signal.aborted) return
    name = received
    onFirst()
    controller.abort()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => interrupt(signal))
  }
  const early = release()
  if (early !== undefined) interrupt(early)
  // Whoever read along is gone, as in `npm start | head`.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => interrupt())
  return {
    signal: controller.signal,
    happened: new Promise<void>((resolve) => {
      if (controller.signal.aborted) resolve()
      controller.signal.addEventListener('abort', () => resolve())
    }),
    get name() {
      return name
    },
  }
}
