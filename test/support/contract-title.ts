/** The runtimes of docs/runtimes.md, in the order of its columns. */
export const RUNTIMES = [
  'Node 24',
  'Node 22',
  'Deno',
  'workerd',
  'workerd with Hyperdrive',
  'Vercel Edge',
] as const

export type TestedRuntime = (typeof RUNTIMES)[number]

/** The way to Postgres that a run of the contract takes. */
export type Way =
  | 'through PgBouncer'
  | 'on Postgres itself'
  | 'through a binding'
  | 'from one handler file'

/** The title of a suite whose cases go into docs/runtimes.md. */
export function contractTitle(runtime: TestedRuntime, way: Way): string {
  return `the contract in ${runtime}, ${way}`
}

/** What a title says, if it is one. */
export function runtimeOf(title: string): TestedRuntime | undefined {
  return RUNTIMES.find((runtime) => title.startsWith(`the contract in ${runtime}, `))
}

/** What a runtime cannot do, by the name of the case. In its place stands a test of how that is refused. */
const REFUSED: Partial<Record<TestedRuntime, Readonly<Record<string, string>>>> = {
  'Vercel Edge': {
    'streams: sql copies in and out':
      '`COPY` needs `node:stream`, which the runtime does not have, and is refused with `ERR_RUNTIME_UNSUPPORTED`; `cursor(n)` works',
  },
}

/** Why a case cannot pass in a runtime; nothing where it has to. */
export function refusedIn(runtime: TestedRuntime, name: string): string | undefined {
  return REFUSED[runtime]?.[name]
}
