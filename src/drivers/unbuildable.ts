/** As many as the protocol can count. */
const MAX_PARAMETERS = 65_534

/** What of postgres.js's `Query`, `Builder` and `Parameter` is read here; its types show none of it. */
interface Fragment {
  args: readonly unknown[]
}
interface Builder {
  first: unknown
  rest: readonly unknown[]
}
interface Parameter {
  value: unknown
}

/**
 * The error with which postgres.js would fail to build a statement, found before it tries: where another
 * statement is under way, it gives the error to that one, and the answers that follow to the wrong ones.
 *
 * @param args - The values of a statement, with fragments and helpers among them.
 */
export function unbuildable(args: readonly unknown[]): Error | undefined {
  const values = args.flatMap(valuesOf)
  if (values.some((value) => value === undefined)) {
    return failure('UNDEFINED_VALUE', 'Undefined values are not allowed')
  }
  if (values.length < MAX_PARAMETERS) return undefined
  const words = `Max number of parameters (${MAX_PARAMETERS}) exceeded`
  return failure('MAX_PARAMETERS_EXCEEDED', words)
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code })
}

/** What is bound for one argument. */
function valuesOf(value: unknown): unknown[] {
  if (isFragment(value)) return value.args.flatMap(valuesOf)
  if (Array.isArray(value) && isFragment(value[0])) return value.flatMap(valuesOf)
  if (isBuilder(value)) return valuesOfBuilder(value)
  return [isParameter(value) ? value.value : value]
}

/** Names of columns are no values; of objects, those of the columns that are named, or all. */
function valuesOfBuilder({ first, rest }: Builder): unknown[] {
  if (typeof first !== 'object' || first === null) return []
  const rows: readonly unknown[] = Array.isArray(first) ? first : [first]
  const columns = rest.length > 0 ? rest.flat().map(String) : undefined
  return rows.flatMap((row) => {
    if (typeof row === 'string') return []
    if (typeof row !== 'object' || row === null || isSpecial(row)) return valuesOf(row)
    const names = columns ?? Object.keys(Array.isArray(first) ? Object(rows[0]) : row)
    return names.flatMap((name) => valuesOf(Reflect.get(row, name)))
  })
}

function isSpecial(value: object): boolean {
  return isFragment(value) || isBuilder(value) || isParameter(value) || value instanceof Date
}

function isFragment(value: unknown): value is Fragment {
  return value instanceof Promise && 'args' in value && 'strings' in value
}

function isBuilder(value: unknown): value is Builder {
  return isOwnKind(value) && 'first' in value && 'rest' in value
}

function isParameter(value: unknown): value is Parameter {
  return isOwnKind(value) && 'value' in value && 'type' in value && 'array' in value
}

/** An instance of a class, as plain objects of callers are not. */
function isOwnKind(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype !== Object.prototype && prototype !== null && !Array.isArray(value)
}
