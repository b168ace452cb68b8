const ROUTINE = /^create (?:or replace )?(?:function|procedure)\b/
const WORDS_OF_BEGINNING = 4

/**
 * Says which semicolons end a statement: in parentheses, as those of a rule, and in the body of a function
 * that is no text (`BEGIN ATOMIC … END`) they do not.
 *
 * @see https://www.postgresql.org/docs/current/sql-createfunction.html
 */
export class StatementEnds {
  #beginning: string[] = []
  #before = ''
  #parentheses = 0
  #blocks = 0

  /** Takes the next piece that is no space, words in lower case; whether it ends the statement. */
  take(piece: string): boolean {
    const before = this.#before
    this.#before = piece
    if (piece === '(') this.#parentheses += 1
    if (piece === ')') this.#parentheses -= 1
    if (this.#blocks > 0) this.#blocks += blocksOf(piece, before)
    else if (piece === 'atomic' && before === 'begin') this.#blocks = this.#isRoutine ? 1 : 0
    if (piece === ';' && this.#parentheses <= 0 && this.#blocks === 0) {
      this.#beginning = []
      this.#before = ''
      this.#parentheses = 0
      return true
    }
    if (this.#beginning.length < WORDS_OF_BEGINNING) this.#beginning.push(piece)
    return false
  }

  get #isRoutine(): boolean {
    return ROUTINE.test(this.#beginning.join(' '))
  }
}

/** `CASE` has an `END` too; either may be the name of a column. */
function blocksOf(piece: string, before: string): number {
  if (before === 'as' || before === '.') return 0
  if (piece === 'case') return 1
  return piece === 'end' ? -1 : 0
}
