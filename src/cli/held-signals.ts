const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Gives the signals back, to whoever has taken them before, and tells the first that has come. */
export type ReleaseSignals = () => NodeJS.Signals | undefined

/** Keeps the signals that end a program until it is known what a command makes of them. */
export function holdSignals(): ReleaseSignals {
  const held: NodeJS.Signals[] = []
  const hold = (signal: NodeJS.Signals) => held.push(signal)
  for (const signal of SIGNALS) process.on(signal, hold)
  return () => {
    for (const signal of SIGNALS) process.off(signal, hold)
    return held[0]
  }
}

/** For a command that a signal simply ends: also one that has come already. */
export function letThrough(release: ReleaseSignals): void {
  const early = release()
  if (early !== undefined) process.kill(process.pid, early)
}
