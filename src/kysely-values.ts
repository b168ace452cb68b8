import type { ClientTypes, TypeHandlers } from './request-clients.ts'

const DATE = 1082
const TIMESTAMP = 1114
const TIMESTAMPTZ = 1184
const BYTEA = 17

/** An object that says itself how it is written, as `pg` documents. */
interface Prepared {
  toPostgres(write: (value: unknown) => unknown): unknown
}

/** Bytes for a column whose type only the server knows: `bytea`, or a text. */
class Bytes {
  readonly bytes: Uint8Array

  constructor({ buffer, byteOffset, byteLength }: ArrayBufferView) {
    this.bytes = new Uint8Array(buffer, byteOffset, byteLength)
  }

  get hex(): string {
    let hex = '\\x'
    for (const byte of this.bytes) hex += HEX[byte]
    return hex
  }

  /** @throws {TypeError} for what is no text in UTF-8. */
  toString(): string {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.bytes)
  }
}

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, '0'),
)

/**
 * Kysely's values are those of `pg`, which writes without asking for the type: every value has become a
 * text before the driver sees it, and the driver is not to make anything else of it.
 */
export const kyselyTypes: ClientTypes = {
  parsers: {},
  serializers: {},
  change({ parsers, serializers }: TypeHandlers) {
    Object.setPrototypeOf(serializers, null)
    serializers[BYTEA] = (value) => (value instanceof Bytes ? value.hex : String(value))
    for (const type of [DATE, TIMESTAMP, TIMESTAMPTZ]) {
      // Whoever has types of their own wants no Date.
      if (parsers[type]?.('2000-01-01') instanceof Date) parsers[type] = readDate
    }
  },
}

/**
 * A value as `pg` writes it, for a parameter of any type.
 *
 * @see https://node-postgres.com/features/queries#parameterized-query
 */
export function writeValue(value: unknown): string | Bytes | null {
  return write(value, [])
}

/** @param seen - Objects that have said how they are written, and led here. */
function write(value: unknown, seen: readonly object[]): string | Bytes | null {
  if (value === null || value === undefined) return null
  if (typeof value !== 'object') return value.toString()
  if (ArrayBuffer.isView(value)) return new Bytes(value)
  if (value instanceof Date) return writeDate(value)
  if (Array.isArray(value)) return writeArray(value)
  if (!isPrepared(value)) return JSON.stringify(value) ?? null
  if (seen.includes(value)) throw new TypeError('toPostgres() leads back to its own object.')
  return write(value.toPostgres(writeValue), [...seen, value])
}

function isPrepared(value: object): value is Prepared {
  return 'toPostgres' in value && typeof value.toPostgres === 'function'
}

function writeArray(values: readonly unknown[]): string {
  const elements = values.map((value) => {
    if (Array.isArray(value)) return writeArray(value)
    const written = writeValue(value)
    if (written === null) return 'NULL'
    if (written instanceof Bytes) return `\\${written.hex}`
    return `"${written.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
  })
  return `{${elements.join(',')}}`
}

/** With the offset of where this runs, so that columns without one get what a clock on the wall shows. */
function writeDate(date: Date): string {
  if (Number.isNaN(date.getTime())) throw new RangeError('An invalid Date cannot be written.')
  const year = date.getFullYear()
  const day = [year > 0 ? year : 1 - year, date.getMonth() + 1, date.getDate()]
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()]
  const offset = -date.getTimezoneOffset()
  const zone = [Math.trunc(Math.abs(offset) / 60), Math.abs(offset) % 60]
  const ms = pad(date.getMilliseconds(), 3)
  const written = `${pad(day[0], 4)}-${pad(day[1])}-${pad(day[2])}T${time.map((part) => pad(part)).join(':')}.${ms}`
  return `${written}${offset < 0 ? '-' : '+'}${zone.map((part) => pad(part)).join(':')}${year > 0 ? '' : ' BC'}`
}

function pad(part: number | undefined, length = 2): string {
  return String(part).padStart(length, '0')
}

const ISO_DATE =
  /^(\d+)-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(?:\.(\d+))?)?(?:([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?)?( BC)?$/

/** A date without a zone is one where this runs; what has no end is a number. */
function readDate(text: string): Date | number {
  const [all, year, month, day, hours = 0, minutes = 0, seconds = 0, fraction = '', sign, ...zone] =
    ISO_DATE.exec(text) ?? []
  if (all === undefined) return readOther(text)
  const [zoneHours = 0, zoneMinutes = 0, zoneSeconds = 0, era] = zone
  const date: [number, number, number] = [
    era ? 1 - Number(year) : Number(year),
    Number(month) - 1,
    Number(day),
  ]
  const ms = Number(fraction.slice(0, 3).padEnd(3, '0'))
  const time: [number, number, number, number] = [
    Number(hours),
    Number(minutes),
    Number(seconds),
    ms,
  ]
  const read = new Date(2000, 0)
  if (!sign) {
    read.setFullYear(...date)
    read.setHours(...time)
    return read
  }
  read.setUTCFullYear(...date)
  read.setUTCHours(...time)
  const offset = Number(zoneHours) * 3_600 + Number(zoneMinutes) * 60 + Number(zoneSeconds)
  return new Date(read.getTime() - (sign === '-' ? -offset : offset) * 1_000)
}

function readOther(text: string): Date | number {
  if (text === 'infinity') return Number.POSITIVE_INFINITY
  return text === '-infinity' ? Number.NEGATIVE_INFINITY : new Date(text)
}
