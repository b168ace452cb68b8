import { RUNTIMES, refusedIn, type TestedRuntime } from './contract-title.ts'

/** What came of a case: the worst of all ways to Postgres. */
export type Outcome = 'passed' | 'refused' | 'failed' | 'left out'

/** By runtime, then by the name of the case. */
export type Results = ReadonlyMap<TestedRuntime, ReadonlyMap<string, Outcome>>

/** What ran, for the words around the table. */
export interface Versions {
  node24: string
  node22: string
  deno: string
  miniflare: string
  edgeRuntime: string
  postgres: string
}

const WORST_FIRST = ['failed', 'left out', 'refused', 'passed'] as const

/** The worse of two outcomes. */
export function worse(left: Outcome, right: Outcome | undefined): Outcome {
  return WORST_FIRST.find((outcome) => outcome === left || outcome === right) ?? left
}

/** The names of all cases, whichever runtime has them, in their order. */
export function casesOf(results: Results): string[] {
  return [...new Set([...results.values()].flatMap((cases) => [...cases.keys()]))]
}

/** The cases that a page of {@link renderMatrix} lists. */
export function casesOnPage(page: string): string[] {
  const names: string[] = []
  let capability = ''
  for (const line of page.split('\n')) {
    if (line.startsWith('### ')) capability = line.slice(4)
    if (line.startsWith('- ')) names.push(`${capability}: ${line.slice(2)}`)
  }
  return names
}

/** What did not run anywhere that it should have. */
export function leftOut(results: Results, cases: readonly string[]): string[] {
  return RUNTIMES.flatMap((runtime) =>
    cases
      .filter((name) => (results.get(runtime)?.get(name) ?? 'left out') === 'left out')
      .map((name) => `${name} in ${runtime}`),
  )
}

/**
 * What is wrong with the committed page, by what ran. A run of some of it says nothing, unless all
 * of it had to run.
 */
export function objection(
  committed: string,
  results: Results,
  versions: Versions,
  mustBeWhole: boolean,
): string | undefined {
  const missing = leftOut(results, casesOnPage(committed))
  if (missing.length > 0) {
    return mustBeWhole ? `names what did not run: ${missing.join('; ')}` : undefined
  }
  const page = renderMatrix(results, versions)
  return page === committed
    ? undefined
    : 'differs from what ran; write it anew: npm run test:matrix'
}

/** docs/runtimes.md. */
export function renderMatrix(results: Results, versions: Versions): string {
  const cases = casesOf(results)
  const capabilities = [...new Set(cases.map(capabilityOf))]
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const cell = (runtime: TestedRuntime, capability: string): string => {
    const outcomes = cases
      .filter((name) => capabilityOf(name) === capability)
      .map((name) => results.get(runtime)?.get(name) ?? 'left out')
    const passed = outcomes.filter((outcome) => outcome === 'passed').length
    return `${passed} of ${outcomes.length}`
  }
  return [
    ...heading(versions),
    row(['', ...RUNTIMES]),
    row(['---', ...RUNTIMES.map(() => '--:')]),
    ...capabilities.map((capability) =>
      row([capability, ...RUNTIMES.map((runtime) => cell(runtime, capability))]),
    ),
    ...refusals(results, cases),
    '',
    '## What each row holds',
    ...capabilities.flatMap((capability) => [
      '',
      `### ${capability}`,
      '',
      ...cases
        .filter((name) => capabilityOf(name) === capability)
        .map((name) => `- ${name.slice(capability.length + 2)}`),
    ]),
    '',
  ].join('\n')
}

/** The rows of a page that are the table of what passed. */
export function matrixOf(page: string): string {
  const lines = page.split('\n')
  const start = lines.findIndex((line) => line.startsWith('|  | '))
  const end = lines.findIndex((line, at) => at > start && !line.startsWith('|'))
  return lines.slice(start, end).join('\n')
}

/** What is less than whole in the table by design. */
function refusals(results: Results, cases: readonly string[]): string[] {
  return RUNTIMES.flatMap((runtime) =>
    cases
      .filter((name) => results.get(runtime)?.get(name) === 'refused')
      .flatMap((name) => [
        '',
        `${runtime} lacks “${name}”: ${refusedIn(runtime, name)}. That is tested.`,
      ]),
  )
}

function heading(versions: Versions): string[] {
  const { node24, node22, deno, miniflare, edgeRuntime, postgres } = versions
  return [
    '# What was run where',
    '',
    'Written by `npm run test:matrix` from what ran, and compared with what runs by every full run of the tests. The same',
    'files, unchanged, in each runtime, against real servers; a case has passed where it has passed on every way to Postgres.',
    '',
    `Node ${node24} and ${node22}, Deno ${deno}, and workerd as Miniflare ${miniflare} brings it, each through PgBouncer and on Postgres`,
    `${postgres} itself; workerd with Hyperdrive through Miniflare's binding of that kind. Vercel Edge is \`edge-runtime\``,
    `${edgeRuntime}, Vercel's own package, through a WebSocket to \`nullpool/gateway\` on Node and from there to either.`,
    '',
  ]
}

function capabilityOf(name: string): string {
  return name.slice(0, name.indexOf(': '))
}
