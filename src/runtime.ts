import type { Transport } from './wire/transport.ts'

/** A value that follows a request through everything it awaits. */
export interface AsyncContext<T> {
  /** Runs `work`; whatever it awaits or schedules sees `value`. */
  run<R>(value: T, work: () => R): R
  /** The value of the work at hand, if it runs inside of {@link AsyncContext.run}. */
  get(): T | undefined
}

/** What differs from runtime to runtime. One file of `runtimes/` is picked by export condition. */
export interface Runtime {
  /** `workers`, `node`, … */
  readonly name: string
  readonly transport: Transport
  /** Bindings that the platform offers without a request, such as `env` of `cloudflare:workers`. */
  bindings(): unknown
  /** A variable of the process's environment. */
  variable(name: string): string | undefined
  /**
   * The IP addresses that a name leads to, where the runtime can say before it connects. Rejects for a
   * name that leads nowhere.
   */
  resolve?(name: string): Promise<readonly string[]>
  /** Keeps the process of a request alive, where the platform offers that without a request. */
  waitUntil?(promise: Promise<unknown>): void
  /** Whether a connection may be used by one request after another; it may not, unless this says so. */
  keepsConnections?(): boolean
  /** A new, empty context. Runtimes without one never see a value. */
  createContext<T>(): AsyncContext<T>
  /** The same function, which sees the values of the work at hand, whoever calls it. */
  bind<V extends unknown[], R>(callback: (...values: V) => R): (...values: V) => R
}
