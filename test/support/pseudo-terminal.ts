import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import xterm from '@xterm/headless'
import { COMMAND_LINE } from './command-line.ts'
import { Conditions } from './conditions.ts'

/** Whether there is `script` of util-linux, which gives a program a terminal. */
export const hasPseudoTerminal: boolean = isUtilLinux()

function isUtilLinux(): boolean {
  try {
    return execFileSync('script', ['--version'], { encoding: 'utf8' }).includes('util-linux')
  } catch {
    return false
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** How large it is, and what runs in it where. */
export interface TerminalOptions {
  columns?: number
  rows?: number
  environment?: Readonly<Record<string, string>>
  /** Another copy of the command line. */
  file?: string
  cwd?: string
}

/**
 * `nullpool …` in a pseudo-terminal of the kernel, whose output a terminal emulator reads: what a test sees is what
 * somebody at the screen sees.
 */
export class PseudoTerminal {
  /** Everything that was written to the terminal. */
  output = ''
  readonly exited: Promise<number | null>
  readonly #screen: xterm.Terminal
  readonly #child: ChildProcess
  readonly #conditions = new Conditions<PseudoTerminal>(this)

  constructor(parameters: readonly string[], options: TerminalOptions = {}) {
    const { columns = 80, rows = 24, environment = {}, file = COMMAND_LINE, cwd } = options
    this.#screen = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true })
    const command = [process.execPath, file, ...parameters].map(quoted).join(' ')
    const child = spawn('script', ['-qefc', shellScript(command, columns, rows), '/dev/null'], {
      env: {
        PATH: process.env.PATH ?? '',
        TERM: 'xterm-256color',
        SHELL: '/bin/sh',
        ...environment,
      },
      stdio: 'pipe',
      cwd,
    })
    this.#child = child
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.output += text
      this.#screen.write(text, () => this.#conditions.changed())
    })
    this.exited = once(child, 'close').then(([code]) => {
      this.#screen.write('', () => {
        this.#conditions.changed()
        this.#conditions.abandon(`It ended:\n${this.lines().join('\n')}`)
      })
      return code
    })
  }

  /** What is on the screen. */
  lines(): string[] {
    const { active } = this.#screen.buffer
    return Array.from({ length: this.#screen.rows }, (_, row) => {
      return active.getLine(active.viewportY + row)?.translateToString(true) ?? ''
    })
  }

  /** `alternate` while a program has the whole screen. */
  get buffer(): 'normal' | 'alternate' {
    return this.#screen.buffer.active.type
  }

  /** Waits for what is seen on the screen, as one text. */
  async shows(predicate: (screen: string) => boolean): Promise<void> {
    await this.#conditions.until(() => predicate(this.lines().join('\n')))
  }

  type(keys: string): void {
    this.#child.stdin?.write(keys)
  }

  /** Makes the terminal another size, as a window manager does. */
  async resize(columns: number, rows: number): Promise<void> {
    this.#screen.resize(columns, rows)
    const [, device = ''] = /terminal (\S+)/.exec(this.output) ?? []
    await promisify(execFile)('stty', ['-F', device, 'cols', `${columns}`, 'rows', `${rows}`])
  }

  /** Sends a signal to the command itself. */
  signal(signal: NodeJS.Signals): void {
    const [, pid] = /pid (\d+)/.exec(this.output) ?? []
    process.kill(Number(pid), signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.exited
    this.#screen.dispose()
  }
}

/** Says before and after how the terminal is set. */
function shellScript(command: string, columns: number, rows: number): string {
  const inner = quoted(`echo "pid $$"; exec ${command}`)
  return [
    `stty cols ${columns} rows ${rows}`,
    'echo "terminal $(tty)"',
    'before=$(stty -g)',
    `sh -c ${inner}`,
    'code=$?',
    '[ "$before" = "$(stty -g)" ] && echo "as before, code $code" || echo "settings left, code $code"',
  ].join('; ')
}
