/** How pg calls back. */
export type Callback = (error: unknown, result?: unknown) => void

/** What pg sends by the object's own methods: a `Query`, a cursor, a stream. */
export interface Submittable {
  submit(connection: unknown): unknown
  handleError?: (error: unknown, connection: unknown) => void
  callback?: Callback | undefined
}

export function isSubmittable(config: string | object): config is object & Submittable {
  return typeof config !== 'string' && typeof Reflect.get(config, 'submit') === 'function'
}

/** The text of a statement; nothing where the driver is going to refuse it. */
export function textOf(config: string | object): string {
  const text: unknown = typeof config === 'string' ? config : Reflect.get(config, 'text')
  return typeof text === 'string' ? text : ''
}

/** Whoever is to be called back: pg takes the values for it where there are none. */
export function callbackOf(config: string | object, rest: unknown[]): Callback | undefined {
  const own: unknown = typeof config === 'string' ? undefined : Reflect.get(config, 'callback')
  const [values, callback] = rest
  return [values, callback, own].find((given) => typeof given === 'function') as
    | Callback
    | undefined
}

/**
 * A query of one's own for pg, which notes values and callbacks on the object that it is given. It looks
 * through to that object, whose properties may be computed.
 */
export function ownQuery(config: string | object, values: unknown, text: string): never {
  const own: Record<string, unknown> = Object.create(typeof config === 'string' ? null : config)
  const note = (key: string, value: unknown): void => {
    Object.defineProperty(own, key, { value, writable: true, enumerable: true })
  }
  note('callback', undefined)
  if (text || typeof config === 'string') note('text', text)
  if (values !== undefined && typeof values !== 'function') note('values', values)
  return own as never
}
