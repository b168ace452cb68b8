import { describe, expect, it } from 'vitest'
import { splitConnectionString } from '../../src/connection-text.ts'
import { createDatabase } from '../../src/database.ts'
import { drizzleClient } from '../../src/drizzle.ts'
import { findSessionState, isSuspect } from '../../src/guard/session-state.ts'
import { changesMeaning } from '../../src/wire/changes-meaning.ts'
import { controlWords, wordsOf } from '../../src/wire/control-statement.ts'
import { queryMessage } from '../../src/wire/messages.ts'
import { SqlLexer } from '../../src/wire/sql-lexer.ts'
import { statementHeads } from '../../src/wire/statement-heads.ts'
import { commits, endTag, leavesTransaction, mayCopy } from '../../src/wire/transaction-control.ts'

/** Texts of `n` pieces on which a reader that goes back would go back again and again. */
const TEXTS: Readonly<Record<string, (n: number) => string>> = {
  'dashes behind a text with escapes': (n) => `select e'a' ${'-- '.repeat(n)}\n from users`,
  'dashes without a line end': (n) => `select e'a' ${'-- '.repeat(n)}`,
  'comments behind a text with escapes': (n) => `select e'a'${' -- x\n'.repeat(n)} from users`,
  'blanks behind a text with escapes': (n) => `select e'a'\n${' \n'.repeat(n)} from users`,
  'parts of one text': (n) => `select e'a'${" --'\n 'a'".repeat(n)}`,
  'texts with escapes': (n) => `select ${"e'a' -- \n,".repeat(n)}`,
  blanks: (n) => `set${' '.repeat(n)}x`,
  'lines without an end': (n) => '--'.repeat(n),
  'comments that begin': (n) => '/*'.repeat(n),
  'comments that end': (n) => `/*${'*/'.repeat(n)}`,
  'quotes, odd': (n) => "'".repeat(2 * n + 1),
  'quotes between texts': (n) => "'a' ".repeat(n),
  'double quotes, odd': (n) => '"'.repeat(2 * n + 1),
  backslashes: (n) => `e'${'\\'.repeat(2 * n + 1)}`,
  dollars: (n) => '$'.repeat(2 * n + 1),
  'tags that begin': (n) => '$a'.repeat(n),
  'tags that differ': (n) => Array.from({ length: n }, (_, at) => `$a${at}$ `).join(''),
  'placeholders and tags': (n) => '$1$a '.repeat(n),
  'a long tag': (n) => `$${'a'.repeat(n)} $${'a'.repeat(n)}`,
  semicolons: (n) => `begin${';'.repeat(n)}`,
  modes: (n) => `begin${' isolation level read'.repeat(n)}`,
  'words of an end': (n) => `commit${' and'.repeat(n)} cha`,
  parentheses: (n) => '('.repeat(n),
  'calls in calls': (n) => 'set_config('.repeat(n),
  'arguments of one call': (n) => `select set_config('a'${', 1'.repeat(n)}, false)`,
  'arguments in arguments': (n) => `select ${"set_config('a', 1, 2, ".repeat(n)}`,
  'parentheses in a call': (n) =>
    `select set_config('a', 'b', ${'('.repeat(n)}true${')'.repeat(n)})`,
  'names of many parts': (n) => `update a${'.update a'.repeat(n)}`,
  'temporary names': (n) => `create temp${' temp .'.repeat(n)}`,
  settings: (n) => 'set local '.repeat(n),
  statements: (n) => 'set role x;'.repeat(n),
}

const READERS: Readonly<Record<string, (text: string) => unknown>> = {
  SqlLexer(text) {
    const lexer = new SqlLexer(text)
    while (lexer.next());
  },
  statementHeads,
  wordsOf(text) {
    const words = wordsOf(text) ?? text
    return [commits, endTag, leavesTransaction].map((read) => read(words))
  },
  controlWords: (text) => controlWords(queryMessage(text)),
  mayCopy: (text) => mayCopy(queryMessage(text)),
  changesMeaning,
  findSessionState: (text) => isSuspect(text) && findSessionState(text),
  'Drizzle’s client': (text) => drizzle.unsafe(text),
}

/** Makes statements, and sends none that nobody awaits. */
const drizzle = drizzleClient(createDatabase({ url: 'postgres://u:p@localhost/d' }).scope())

/** Time of this thread's processor for `work`, in µs: the least of several runs. */
function cost(work: () => unknown, runs: number): number {
  let least = Number.POSITIVE_INFINITY
  for (let run = 0; run < runs; run += 1) {
    const before = process.threadCpuUsage()
    work()
    const { user, system } = process.threadCpuUsage(before)
    least = Math.min(least, user + system)
  }
  return least
}

/** What is too little to be compared, and what no text of so few pieces may take. */
const LEAST_US = 1_000
const MOST_US = 300_000

/** How much longer the long text is: what grows as a square takes the square of it. */
const TIMES = 20

/** Fails for what grows as a power of two, before it has taken too long, or as a square. */
function growsWithLength(
  read: (text: string) => unknown,
  text: (n: number) => string,
  n = 2_000,
): void {
  for (let few = 2; few < 40; few += 1) {
    expect(
      cost(() => read(text(few)), 1),
      `${few} pieces`,
    ).toBeLessThan(MOST_US)
  }
  const [small = 0, large = 0] = [n, n * TIMES].map((pieces) => {
    const made = text(pieces)
    return Math.max(
      LEAST_US,
      cost(() => read(made), 5),
    )
  })
  expect(large / small).toBeLessThan((TIMES * TIMES) / 4)
}

describe.each(Object.entries(READERS))('%s takes time in proportion to', (_name, read) => {
  it.each(Object.entries(TEXTS))('%s', (_what, text) => growsWithLength(read, text))
})

/** As long as a connection string may be, so what grows as a square shows in milliseconds. */
describe('splitConnectionString takes time in proportion to', () => {
  const read = (text: string): void => {
    for (let time = 0; time < 20; time += 1) {
      try {
        splitConnectionString(text)
      } catch {
        // Most of them are none.
      }
    }
  }
  it.each<[string, (n: number) => string]>([
    ['blanks in front', (n) => `a=${' '.repeat(n)}`],
    ['blanks behind a quote', (n) => `a = "${' '.repeat(n)}x`],
    ['brackets', (n) => `postgres://u:${'@['.repeat(n / 2)}`],
    ['colons', (n) => `postgres://u${':'.repeat(n)}`],
    ['percent signs', (n) => `postgres://u:${'%4'.repeat(n / 2)}@h/x`],
  ])('%s', (_what, text) => growsWithLength(read, text, 400))
})
