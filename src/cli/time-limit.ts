import { once } from 'node:events'

/** The first outcome, or `undefined` when the time is over. */
export async function within<Outcome>(
  milliseconds: number,
  outcomes: readonly Promise<Outcome>[],
): Promise<Outcome | undefined> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, milliseconds, undefined)
  })
  try {
    return await Promise.race([...outcomes, timeout])
  } finally {
    clearTimeout(timer)
  }
}

/** Resolves when the signal aborts; never, where there is none. */
export async function untilAborted(signal: AbortSignal | undefined): Promise<undefined> {
  if (signal?.aborted !== true) await once(signal ?? new EventTarget(), 'abort')
}
