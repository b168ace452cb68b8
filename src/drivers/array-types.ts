import { parse } from 'postgres-array'

/** Element and array type of each built-in type that has one. OIDs below 10,000 never change. */
// biome-ignore format: one table, not two hundred lines
const ARRAY_TYPES: readonly (readonly [element: number, array: number])[] = [
  [16, 1000], [17, 1001], [18, 1002], [19, 1003], [20, 1016], [21, 1005], [22, 1006], [23, 1007],
  [24, 1008], [25, 1009], [26, 1028], [27, 1010], [28, 1011], [29, 1012], [30, 1013], [114, 199],
  [142, 143], [600, 1017], [601, 1018], [602, 1019], [603, 1020], [604, 1027], [628, 629],
  [650, 651], [700, 1021], [701, 1022], [718, 719], [774, 775], [790, 791], [829, 1040],
  [869, 1041], [1033, 1034], [1042, 1014], [1043, 1015], [1082, 1182], [1083, 1183], [1114, 1115],
  [1184, 1185], [1186, 1187], [1266, 1270], [1560, 1561], [1562, 1563], [1700, 1231], [1790, 2201],
  [2202, 2207], [2203, 2208], [2204, 2209], [2205, 2210], [2206, 2211], [2249, 2287], [2275, 1263],
  [2950, 2951], [2970, 2949], [3220, 3221], [3614, 3643], [3615, 3645], [3642, 3644], [3734, 3735],
  [3769, 3770], [3802, 3807], [3904, 3905], [3906, 3907], [3908, 3909], [3910, 3911], [3912, 3913],
  [3926, 3927], [4072, 4073], [4089, 4090], [4096, 4097], [4191, 4192], [4451, 6150], [4532, 6151],
  [4533, 6152], [4534, 6153], [4535, 6155], [4536, 6157], [5038, 5039], [5069, 271],
]

/** The array of boxes, the one type whose elements are separated by semicolons. */
const BOX_ARRAY = 1020

type Parsers = Record<number, ((text: string) => unknown) | undefined>
type Serializers = Record<number, ((value: unknown) => unknown) | undefined>

/** The part of postgres.js's resolved options that decides how values are read and written. */
export interface TypeOptions {
  parsers: Parsers
  serializers: Serializers
  shared: { typeArrayMap: Record<number, number> }
  transform: { undefined?: unknown }
}

/**
 * Teaches clients the arrays of the built-in types, which postgres.js otherwise asks the server for
 * on every connection. Arrays of types made by `create type` stay text. What inherits from the parsers
 * and serializers here reads and writes the elements of arrays by its own.
 */
export function registerArrayTypes(options: TypeOptions): void {
  for (const [element, array] of ARRAY_TYPES) {
    options.shared.typeArrayMap[element] = array
    inherit(
      options.parsers,
      array,
      (parsers) => (text: string) => parseArray(text, array, parsers[element]),
    )
    inherit(
      options.serializers,
      array,
      (serializers) => (value: unknown) =>
        serializeArray(value, array, serializers[element], options),
    )
  }
}

/** The type of the elements of a built-in array type. */
export function elementTypeOf(array: number): number | undefined {
  return ARRAY_TYPES.find((pair) => pair[1] === array)?.[0]
}

/** Adds what is made, when it is asked for, for whoever is asked. */
function inherit<T extends object>(
  handlers: T,
  type: keyof T,
  make: (asked: T) => T[keyof T],
): void {
  if (handlers[type]) return
  Object.defineProperty(handlers, type, {
    configurable: true,
    enumerable: true,
    get(this: T) {
      return make(this)
    },
    set(this: T, value: T[keyof T]) {
      const own = { value, writable: true, configurable: true, enumerable: true }
      Object.defineProperty(this, type, own)
    },
  })
}

/** Reads an array's text; `null` elements are not given to `parseElement`. */
export function parseArray(
  text: string,
  type: number,
  parseElement: ((text: string) => unknown) | undefined,
): unknown[] {
  const literal =
    type === BOX_ARRAY ? text.replace(/\([^;{}]*\)/g, '"$&"').replaceAll(';', ',') : text
  return parseElement ? parse(literal, parseElement) : parse(literal)
}

function serializeArray(
  value: unknown,
  type: number,
  serializeElement: ((value: unknown) => unknown) | undefined,
  options: TypeOptions,
): unknown {
  // A literal such as '{1,2}' is already what the server reads.
  if (!Array.isArray(value)) return value
  const elements = value.map((element) => {
    if (Array.isArray(element)) return serializeArray(element, type, serializeElement, options)
    const present = element === undefined ? options.transform.undefined : element
    if (present === undefined) throw new TypeError('An array element is undefined.')
    if (present === null) return 'null'
    const plain = isParameter(present) ? present.value : present
    return quote(String(serializeElement ? serializeElement(plain) : plain))
  })
  return `{${elements.join(type === BOX_ARRAY ? ';' : ',')}}`
}

/** postgres.js's `sql.typed(…)`, of which the value counts here; a plain object is JSON. */
function isParameter(value: unknown): value is { type: number; value: unknown } {
  if (typeof value !== 'object' || value === null || !('type' in value && 'value' in value)) {
    return false
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype !== Object.prototype && prototype !== null
}

function quote(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}
