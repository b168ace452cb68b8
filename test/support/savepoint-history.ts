/** A transaction or a savepoint: what its caller was told of its end. */
export interface Part {
  readonly label: string
  readonly outer: Part | undefined
  told: string
  /** Whether a statement in it has failed: the server refuses whatever comes behind. */
  failed: boolean
}

/** A statement: what its caller was told, and the row that it was to leave. */
interface Deed {
  readonly label: string
  readonly part: Part
  readonly row: string | undefined
  told: string
}

const DONE = 'done'

/** What code throws that has nothing to complain of. */
export const onPurpose = (): Error => new Error('on purpose')

/** What a statement may be told of which its part has failed: its own error, or that it was stopped. */
const CAUSES = /^(22012|57014|ERR_ABORTED)$/
/** What others of that part are told. */
const CONSEQUENCES = /^(25P02|40000|ERR_TRANSACTION_ROLLED_BACK)$/
/** What has nothing to do with the server. */
const ELSEWHERE = /^(on purpose|503|ERR_TRANSACTION_OVER|ERR_TRANSACTION_STREAM)$/

/** What has been done in a transaction, and what each caller was told of it. */
export class SavepointHistory {
  readonly #parts: Part[] = []
  readonly #deeds: Deed[] = []
  readonly #lines: string[] = []
  readonly #running = new Set<Promise<void>>()
  #count = 0

  /** A part of which its code says how it ends, see {@link SavepointHistory.end}. */
  open(what: string, outer: Part | undefined): Part {
    const part = { label: this.#label(what), outer, told: 'pending', failed: false }
    this.#parts.push(part)
    this.#say(part.label, outer, 'begins')
    return part
  }

  end(part: Part, told: string): void {
    part.told = told
    this.#say(part.label, part.outer, told)
  }

  /** A part that ends as `work` does; never rejects. */
  part(what: string, outer: Part | undefined, work: (part: Part) => unknown): Promise<void> {
    const part = this.open(what, outer)
    return this.#track(
      () => work(part),
      (told) => this.end(part, told),
    )
  }

  /** A statement that leaves a row; never rejects. */
  insert(what: string, part: Part, run: (row: string) => unknown): Promise<string> {
    return this.#deed(what, part, run)
  }

  /** A statement that leaves nothing; resolves with what its caller was told. */
  run(what: string, part: Part, run: () => unknown): Promise<string> {
    return this.#deed(what, part, run, true)
  }

  async #deed(
    what: string,
    part: Part,
    run: (row: string) => unknown,
    isVoid = false,
  ): Promise<string> {
    const label = this.#label(what)
    const deed: Deed = { label, part, row: isVoid ? undefined : label, told: 'pending' }
    this.#deeds.push(deed)
    await this.#track(
      () => run(label),
      (told) => {
        deed.told = told
        part.failed ||= CAUSES.test(told)
        this.#say(label, part, told)
      },
    )
    return deed.told
  }

  /** Resolves when everybody has been told. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  /** What is wrong, where these rows are what has been committed. */
  judge(committed: ReadonlySet<string>): string[] {
    const wrong: string[] = []
    for (const { label, part, row, told } of this.#deeds) {
      const isKept = told === DONE && isAlive(part)
      if (row && isKept !== committed.has(row))
        wrong.push(isKept ? `${label} is lost` : `${label} is there`)
      if (!isExpected(told, part)) wrong.push(`${label} was told ${told}`)
    }
    for (const part of this.#parts) {
      const isByHand = part.told === 'rolled back'
      if (!isByHand && !isExpected(part.told, part))
        wrong.push(`${part.label} was told ${part.told}`)
    }
    return wrong
  }

  toString(): string {
    return this.#lines.join('\n')
  }

  #label(what: string): string {
    this.#count += 1
    return `${what} ${this.#count}`
  }

  #say(label: string, outer: Part | undefined, told: string): void {
    this.#lines.push(`${label}${outer ? ` in ${outer.label}` : ''}: ${told}`)
  }

  #track(run: () => unknown, end: (told: string) => void): Promise<void> {
    const running = (async () => run())().then(
      () => end(DONE),
      (error: unknown) => end(codeOf(error)),
    )
    this.#running.add(running)
    return running.finally(() => this.#running.delete(running))
  }
}

function isAlive(part: Part | undefined): boolean {
  return part === undefined || (part.told === DONE && isAlive(part.outer))
}

/** Nobody may be told of a failure that nothing has caused. */
function isExpected(told: string, part: Part): boolean {
  if (told === DONE || CAUSES.test(told) || ELSEWHERE.test(told)) return true
  return CONSEQUENCES.test(told) && hasFailed(part)
}

function hasFailed(part: Part | undefined): boolean {
  return part !== undefined && (part.failed || hasFailed(part.outer))
}

/** An error in few letters; an ORM has put its own around it. */
function codeOf(error: unknown): string {
  const { code, cause, message } = Object(error)
  if (typeof code === 'string') return code
  return cause === undefined ? String(message ?? error) : codeOf(cause)
}
