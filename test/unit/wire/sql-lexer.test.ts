import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SqlLexer } from '../../../src/wire/sql-lexer.ts'

function pieces(text: string): [string, string][] {
  const lexer = new SqlLexer(text)
  const all: [string, string][] = []
  while (lexer.next()) all.push([lexer.kind, lexer.value])
  return all
}

const meaning = (text: string): string[] =>
  pieces(text).flatMap(([kind, value]) => (kind === 'space' ? [] : [`${kind} ${value}`]))

describe('SqlLexer', () => {
  it.each<[string, string[]]>([
    ["'it''s' x", ["text 'it''s'", 'word x']],
    ["'a\\' x", ["text 'a\\'", 'word x']],
    ["E'a\\' x' y", ["text E'a\\' x'", 'word y']],
    ["e'a'' x' y", ["text e'a'' x'", 'word y']],
    ["e'\\\\' y", ["text e'\\\\'", 'word y']],
    ["e'a'\n'b\\'c' y", ["text e'a'\n'b\\'c'", 'word y']],
    ["e'a' -- c\n  'b\\'c' y", ["text e'a' -- c\n  'b\\'c'", 'word y']],
    ["e'a' -- c\n--d\n\t'b\\'c' y", ["text e'a' -- c\n--d\n\t'b\\'c'", 'word y']],
    ["e'a' -- 'b\\'c", ["text e'a'"]],
    ["e'a'\n- 'b' y", ["text e'a'", 'symbol -', "text 'b'", 'word y']],
    ["e'a' 'b\\'c", ["text e'a'", "text 'b\\'", 'word c']],
    ["namee'x' y", ['word namee', "text 'x'", 'word y']],
    ["U&'\\0061' y", ['word U', 'symbol &', "text '\\0061'", 'word y']],
    ['"a""b" y', ['quoted "a""b"', 'word y']],
    ["$$ it's $x$ $$ y", ["text $$ it's $x$ $$", 'word y']],
    ['$é_1$ $$ $é_1$ y', ['text $é_1$ $$ $é_1$', 'word y']],
    ['a$b$ y', ['word a$b$', 'word y']],
    ['$1$2', ['symbol $', 'symbol 1', 'symbol $', 'symbol 2']],
    ['$1$a$ x $a$', ['symbol $', 'symbol 1', 'text $a$ x $a$']],
    ['/* a /* b */ c */ y', ['word y']],
    ['/*/ a */ y', ['word y']],
    ['-- a\ry', ['word y']],
    ['a--b', ['word a']],
    ['1 - -1', ['symbol 1', 'symbol -', 'symbol -', 'symbol 1']],
    ['\u00a0a', ['word \u00a0a']],
    ["'never ends", ["unfinished 'never ends"]],
    ["e'never ends\\'", ["unfinished e'never ends\\'"]],
    ['"never ends""', ['unfinished "never ends""']],
    ['$a$ never $b$', ['unfinished $a$ never $b$']],
    ['/* never */ /* ends', ['unfinished /* ends']],
  ])('SqlLexer reads %j', (text, expected) => {
    expect(meaning(text)).toEqual(expected)
  })

  it('SqlLexer gives back every character, whatever the text', () => {
    const part = fc.constantFrom(
      "'",
      '"',
      '$',
      '$a$',
      '\\',
      '/*',
      '*/',
      '--',
      '\n',
      'e',
      'x',
      ';',
      ' ',
    )
    const text = fc.array(fc.oneof(part, fc.string()), { maxLength: 20 }).map((all) => all.join(''))
    fc.assert(
      fc.property(text, (given) => {
        expect(
          pieces(given)
            .map(([, value]) => value)
            .join(''),
        ).toBe(given)
      }),
      { seed: 5, numRuns: 2_000 },
    )
  })

  it('SqlLexer takes texts of megabytes', () => {
    const large = 'x'.repeat(4_000_000)
    for (const text of [
      `'${large}''${large}'`,
      `e'${large}\\'${large}'`,
      `$$${large}$$`,
      `/*${large}*/`,
    ]) {
      expect(pieces(`${text} y`)).toHaveLength(3)
    }
  })
})
