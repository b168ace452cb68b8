import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { contractCases } from '../contract.ts'
import {
  casesOf,
  casesOnPage,
  matrixOf,
  type Outcome,
  objection,
  type Results,
  renderMatrix,
} from '../support/contract-matrix.ts'
import { RUNTIMES, refusedIn } from '../support/contract-title.ts'

const VERSIONS = {
  ...{ node24: '24', node22: '22', deno: '2', miniflare: '5' },
  ...{ edgeRuntime: '4', postgres: '18' },
}
const CASES = ['lifecycle: it opens', 'lifecycle: it closes', 'claims: they hold']

/** What came of every case in every runtime; other than passed where told. */
function ran(but: Partial<Record<(typeof RUNTIMES)[number], Outcome>> = {}): Results {
  return new Map(
    RUNTIMES.map((runtime) => [
      runtime,
      new Map(CASES.map((name, n) => [name, n === 0 ? (but[runtime] ?? 'passed') : 'passed'])),
    ]),
  )
}

describe('docs/runtimes.md', () => {
  it('names every case of the contract, and every runtime', async () => {
    const page = await readFile('docs/runtimes.md', 'utf8')
    const named = casesOnPage(page).filter((name) => !name.startsWith('one handler file: '))
    expect(named).toEqual(contractCases())
    expect(page).toContain(`| ${['', ...RUNTIMES].join(' | ')} |`)
  })

  it('has the table that the README has', async () => {
    const page = await readFile('docs/runtimes.md', 'utf8')
    expect(matrixOf(await readFile('README.md', 'utf8'))).toBe(matrixOf(page))
  })

  it('reads back as it was written', () => {
    expect(casesOnPage(renderMatrix(ran(), VERSIONS))).toEqual(casesOf(ran()))
  })

  it('says what failed, and what did not run', () => {
    const page = renderMatrix(ran({ Deno: 'failed', workerd: 'left out' }), VERSIONS)
    expect(page).toContain('| lifecycle | 2 of 2 | 2 of 2 | 1 of 2 | 1 of 2 | 2 of 2 | 2 of 2 |')
  })

  it('counts what a runtime refuses by design for nothing, and says why', () => {
    const copies = 'streams: sql copies in and out'
    const results = new Map(
      RUNTIMES.map((runtime) => {
        const outcome: Outcome = runtime === 'Vercel Edge' ? 'refused' : 'passed'
        return [runtime, new Map([[copies, outcome]])] as const
      }),
    )
    const page = renderMatrix(results, VERSIONS)
    expect(page).toMatch(/\| 1 of 1 \| 0 of 1 \|$/m)
    expect(page).toContain(`Vercel Edge lacks “${copies}”: \`COPY\` needs`)
    expect(objection(page, results, VERSIONS, true)).toBeUndefined()
  })

  it('excuses nothing that is no case of the contract', () => {
    const excused = RUNTIMES.flatMap((runtime) =>
      contractCases().filter((name) => refusedIn(runtime, name) !== undefined),
    )
    expect(excused).toEqual(['streams: sql copies in and out'])
  })

  it('is objected to where it differs from what ran', () => {
    const page = renderMatrix(ran(), VERSIONS)
    expect(objection(page, ran(), VERSIONS, true)).toBeUndefined()
    expect(objection(page, ran({ Deno: 'failed' }), VERSIONS, false)).toMatch(/differs/)
    expect(objection(page, ran(), { ...VERSIONS, deno: '3' }, false)).toMatch(/differs/)
    expect(objection(page.replace('2 of 2', '3 of 3'), ran(), VERSIONS, false)).toMatch(/differs/)
  })

  it('is not objected to by a run of a part, unless all had to run', () => {
    const page = renderMatrix(ran(), VERSIONS)
    const part = ran({ 'Node 22': 'left out' })
    expect(objection(page, part, VERSIONS, false)).toBeUndefined()
    expect(objection(page, part, VERSIONS, true)).toMatch(/lifecycle: it opens in Node 22/)
  })
})
