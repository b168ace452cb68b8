import { describe, expect, it } from 'vitest'
import { controlWords } from '../../../src/wire/control-statement.ts'
import { queryMessage, statementMessages } from '../../../src/wire/messages.ts'

describe('controlWords', () => {
  it.each([
    ['commit', 'commit'],
    [';commit', 'commit'],
    [' ; /* x */ ;; COMMIT ; ', 'commit'],
    ['-- x\n;End', 'end'],
    ['\trollback  to\na', 'rollback to a'],
    ['commit; select 1', 'commit ; select 1'],
    ['select 1; commit', undefined],
    ['', undefined],
    [';', undefined],
    ['/* commit', undefined],
    ['"commit"', undefined],
  ])('%j', (text, words) => {
    expect(controlWords(queryMessage(text))).toBe(words)
    const [parse] = statementMessages(text)
    expect(parse && controlWords(parse)).toBe(words)
  })

  it('finds the first word behind comments of every length', () => {
    const lengths = [...Array(300).keys(), 9_990, 10_000, 20_000]
    for (const [letter, length] of ['x', 'é', '✓'].flatMap((each) =>
      lengths.map((n) => [each, n] as const),
    )) {
      const comment = `/*${letter.repeat(length)}*/`
      expect([length, controlWords(queryMessage(`${comment} commit and chain`))]).toEqual([
        length,
        'commit and chain',
      ])
      expect([length, controlWords(queryMessage(`${comment} ; end`))]).toEqual([length, 'end'])
      expect(controlWords(queryMessage(`rollback ${comment} to a`))).toBe('rollback to a')
      expect(controlWords(queryMessage(`${comment} select 1`))).toBeUndefined()
      expect(controlWords(queryMessage(`${comment} committed`))).toBeUndefined()
    }
  })
})
