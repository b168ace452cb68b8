import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { basename } from 'node:path'
import { createInterface } from 'node:readline'
import type { ServerFolder } from './server-folder.ts'
import { untilAborted, within } from './time-limit.ts'

/** How long a server may take to become ready: a slow machine needs a second or two. */
const READY_WITHIN_MS = 60_000
/** How long a server may take to end by itself, and again after SIGKILL. */
const END_WITHIN_MS = 5_000
/** Enough for the reason of a failure, which servers print last. */
const KEPT_LINES = 20

/** A program and where it runs. */
export interface Program {
  file: string
  arguments: readonly string[]
  /** Its working folder, whose owner it runs as, and whose guard ends it. */
  folder: ServerFolder
  /** Gets every line that the program prints. */
  onLog?: ((line: string) => void) | undefined
  /** Ends it while it is on its way: to its end, or to being ready. */
  signal?: AbortSignal | undefined
}

/** How a program that keeps running is told apart from one that ended. */
export interface ServerBehaviour {
  /** A part of the line that it prints when it accepts connections. */
  readyLine: string
  /** What makes it end at once and in order. */
  stopSignal: NodeJS.Signals
}

/** A program that is up. */
export interface RunningServer {
  readonly pid: number
  /** What it printed up to the moment it was ready. */
  readonly output: string
  /** Resolves when it has ended with all its processes, for whatever reason. */
  readonly ended: Promise<void>
  /** Ends it: by its signal, then by SIGKILL. */
  stop(): Promise<void>
}

/** A program that could not be started or ended with a failure. */
export class ProgramError extends Error {
  override readonly name: string = 'ProgramError'
  /** The last lines that it printed. */
  readonly output: string

  /** Takes what happened, and the program's last lines. */
  constructor(message: string, output: string, options?: ErrorOptions) {
    super(output === '' ? message : `${message}\n${output}`, options)
    this.output = output
  }
}

/** Runs a program that ends by itself, and throws {@link ProgramError} where it fails. */
export async function runProgram(program: Program): Promise<void> {
  const { child, pid, lines, ended } = launch(program, 'SIGTERM')
  const outcome = await Promise.race([
    ended.then(() => 'ended'),
    untilAborted(program.signal).then(() => 'aborted'),
  ])
  if (outcome === 'aborted') await end(child, pid, ended, 'SIGTERM')
  program.signal?.throwIfAborted()
  if (child.exitCode !== 0) throw failed(program, child, lines)
}

/** Starts a program that keeps running; resolves when it accepts connections. */
export async function startServer(
  program: Program,
  behaviour: ServerBehaviour,
): Promise<RunningServer> {
  const { child, pid, lines, ended, seen } = launch(program, behaviour.stopSignal)
  const stop = () => end(child, pid, ended, behaviour.stopSignal)
  const outcome = await within(READY_WITHIN_MS, [
    seen(behaviour.readyLine).then(() => 'ready'),
    ended.then(() => 'ended'),
    untilAborted(program.signal).then(() => 'aborted'),
  ])
  if (outcome !== 'ready') {
    await stop()
    program.signal?.throwIfAborted()
    throw outcome === 'ended' ? failed(program, child, lines) : late(program, lines)
  }
  let stopped: Promise<void> | undefined
  return {
    pid,
    output: lines.join('\n'),
    ended,
    stop() {
      stopped ??= stop()
      return stopped
    },
  }
}

interface Launched {
  child: ChildProcess
  pid: number
  /** The last lines it printed. */
  lines: string[]
  ended: Promise<void>
  /** Resolves when a line holds this text; never, if none does. */
  seen(text: string): Promise<void>
}

function launch(program: Program, stopSignal: NodeJS.Signals): Launched {
  const { folder } = program
  // In a session of its own: Ctrl-C in the terminal is for us, who then end it in order.
  const child = spawn(program.file, program.arguments, {
    cwd: folder.path,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    // Nothing of ours: PGDATA, LC_ALL and their like change what these programs do and print.
    env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' },
    ...(folder.identity && { uid: folder.identity.uid, gid: folder.identity.gid }),
  })
  if (child.pid !== undefined) folder.guard.watch(child.pid, stopSignal)
  const lines: string[] = []
  const awaited: { text: string; resolve: () => void }[] = []
  const onLine = (line: string) => {
    if (lines.push(line) > KEPT_LINES) lines.shift()
    program.onLog?.(line)
    for (const { text, resolve } of awaited) if (line.includes(text)) resolve()
  }
  // `close` and not `exit`: it also waits for the children of the program, who share its output.
  const closed = once(child, 'close')
  for (const stream of [child.stdout, child.stderr]) createInterface(stream).on('line', onLine)
  return {
    child,
    pid: child.pid ?? 0,
    lines,
    ended: closed
      .then(
        () => {},
        (error: Error) => onLine(error.message),
      )
      .then(() => folder.guard.forget()),
    seen: (text) => new Promise((resolve) => awaited.push({ text, resolve })),
  }
}

async function end(
  child: ChildProcess,
  pid: number,
  ended: Promise<void>,
  stopSignal: NodeJS.Signals,
): Promise<void> {
  for (const signal of [stopSignal, 'SIGKILL'] as const) {
    // A process that has ended has given its number back, and somebody else may have it now.
    if (pid !== 0 && child.exitCode === null && child.signalCode === null) signalGroup(pid, signal)
    if ((await within(END_WITHIN_MS, [ended.then(() => 'ended')])) === 'ended') return
  }
}

/** Sends a signal to a process and its children, or to nobody where they are gone. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch {
    // Gone in between.
  }
}

function failed(program: Program, child: ChildProcess, lines: readonly string[]): ProgramError {
  const how = child.signalCode ?? (child.pid === undefined ? 'not started' : child.exitCode)
  return new ProgramError(`${basename(program.file)} failed (${how}).`, lines.join('\n'))
}

function late(program: Program, lines: readonly string[]): ProgramError {
  const name = basename(program.file)
  return new ProgramError(
    `${name} was not ready within ${READY_WITHIN_MS / 1000} seconds.`,
    lines.join('\n'),
  )
}
