/** What to run, as told to the process that runs the Worker. */
export interface WorkerOrder {
  /** A `wrangler.toml`. */
  configFile: string
  /** The one to build with, whatever stands beside the sources. */
  tsconfigFile: string
  host: string
  port: number
  /** Secrets of the Worker by name, on top of what its configuration says. */
  secrets: Record<string, string>
}

/** What the process that runs the Worker tells, once. */
export type WorkerOutcome = { state: 'ready' } | { state: 'failed'; reason: string }
