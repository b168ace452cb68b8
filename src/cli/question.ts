import type { Key } from 'node:readline'
import { isCancel } from '@clack/prompts'

/** What came of a question. */
export interface Answer<Value> {
  /** `undefined` where there is none. */
  value: Value | undefined
  /** Whether Ctrl-C ended it, which a terminal in raw mode makes no signal of. */
  isInterrupted: boolean
}

/**
 * Asks on the terminal, and gives the cursor back however that ends.
 *
 * The prompts know Escape and Ctrl-C, but neither Ctrl-D, which closes what they read from, nor the input's end.
 *
 * @param ask - One of the prompts; it takes the signal.
 * @param stop - Ends the question as well.
 */
export async function askOnTerminal<Value>(
  ask: (signal: AbortSignal) => Promise<Value | symbol>,
  stop: AbortSignal | undefined,
): Promise<Answer<Value>> {
  const { stdin } = process
  const closed = new AbortController()
  const close = (): void => closed.abort()
  let isInterrupted = false
  const onKey = (_text: string | undefined, { ctrl, name }: Key): void => {
    if (ctrl && name === 'c') isInterrupted = true
    if (ctrl && name === 'd') close()
  }
  stdin.on('keypress', onKey).once('end', close)
  try {
    const answer = await ask(AbortSignal.any([closed.signal, ...(stop ? [stop] : [])]))
    const value = isCancel(answer) ? undefined : (answer as Value)
    return { value, isInterrupted }
  } finally {
    stdin.off('keypress', onKey).off('end', close)
  }
}
