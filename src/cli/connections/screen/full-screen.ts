import { emitKeypressEvents } from 'node:readline'
import type { ReadStream, WriteStream } from 'node:tty'
import type { Look, Sampler } from '../sampler.ts'
import { drawFrame } from './frame.ts'
import { Terminal } from './terminal.ts'
import { FIRST_VIEW, type Key, pressed } from './view-state.ts'

/** Where the view is shown, and until when. */
export interface FullScreenOptions {
  input: ReadStream
  output: WriteStream
  /** Where the database is; holds no secret. */
  place: string
  /** Aborts when the process is asked to end. */
  signal: AbortSignal
}

/** Shows what the sampler sees, until somebody quits. */
export async function showFullScreen(sampler: Sampler, options: FullScreenOptions): Promise<void> {
  const { input, output, place, signal } = options
  const terminal = new Terminal(input, output)
  let view = FIRST_VIEW
  let look: Look | undefined = sampler.latest
  let points = [...sampler.history.points]
  const draw = (): void => {
    if (look === undefined) return
    const { snapshot } = look
    terminal.show(drawFrame({ snapshot, points, view, place }, terminal.size))
  }
  const forget = sampler.listen((latest) => {
    if (view.isPaused) return
    look = latest
    points = [...sampler.history.points]
    draw()
  })
  emitKeypressEvents(input)
  await new Promise<void>((resolve) => {
    const onKey = (_text: string | undefined, key: Key): void => {
      const next = pressed(view, key)
      if (next === 'quit') return resolve()
      view = next
      draw()
    }
    signal.addEventListener('abort', () => resolve(), { once: true })
    input.on('keypress', onKey)
    input.once('end', resolve)
    output.on('resize', draw)
    terminal.enter()
    draw()
    if (signal.aborted) resolve()
  }).finally(() => {
    input.removeAllListeners('keypress')
    output.off('resize', draw)
    forget()
    terminal.leave()
  })
}
