import { NullpoolError } from './errors.ts'
import type { Setting } from './wire/prologue.ts'

/** How a transaction is begun, and what becomes of it when it fails. */
export interface TransactionOptions {
  /** @default the server's `default_transaction_isolation`, which is `read committed` */
  isolation?: 'read uncommitted' | 'read committed' | 'repeatable read' | 'serializable'
  /**
   * Refuses to write. Its end delays nobody, unless it can fail: where the transaction is serializable, or a
   * statement may have let it write. @default false
   */
  readOnly?: boolean
  /** Waits for a snapshot that cannot fail; of `serializable` and `readOnly` alone. @default false */
  deferrable?: boolean
  /**
   * Settings of the server that last as long as the transaction, by name: `{ statement_timeout: '5s' }`.
   * They are bound as values and travel with the first statement.
   */
  settings?: Readonly<Record<string, string | number | boolean>>
  /**
   * How often `work` is run again after a serialization failure (40001) or a deadlock (40P01), after up to
   * 10, 20, 40 … ms at random. It must not do anything but query. @default 0
   */
  retries?: number
}

/** What the wire needs to begin a transaction. */
export interface Beginning {
  begin: string
  settings: Setting[]
  retries: number
  /** Whether nothing can go wrong at its end, unless a statement or a default of the server changes its modes. */
  endsSafely: boolean
}

const ISOLATIONS = ['read uncommitted', 'read committed', 'repeatable read', 'serializable']
const SETTING = /^[a-z_][a-z0-9_$]*(\.[a-z_][a-z0-9_$]*)*$/i
const MAX_SETTINGS = 64
const MAX_NAME_BYTES = 63
const MAX_VALUE_LENGTH = 65_536

type Check = (value: unknown) => boolean

/** No list and no Map, whose entries are no properties. */
const isObject: Check = (value) => Object.prototype.toString.call(value) === '[object Object]'

const isBoolean: Check = (value) => typeof value === 'boolean'

const OPTIONS: Record<keyof TransactionOptions, { fits: Check; takes: string }> = {
  isolation: {
    fits: (value) => typeof value === 'string' && ISOLATIONS.includes(value),
    takes: ISOLATIONS.map((each) => `'${each}'`).join(', '),
  },
  readOnly: { fits: isBoolean, takes: 'true or false' },
  deferrable: { fits: isBoolean, takes: 'true or false' },
  settings: { fits: isObject, takes: 'an object of settings by name' },
  retries: {
    fits: (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 100,
    takes: 'a whole number from 0 to 100',
  },
}

/** @throws {NullpoolError} `ERR_OPTIONS`. */
export function readTransactionOptions(options: TransactionOptions): Beginning {
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(OPTIONS, name)) throw refused(`There is no option ${name} of a transaction.`)
    const { fits, takes } = OPTIONS[name as keyof TransactionOptions]
    if (value !== undefined && !fits(value)) {
      throw refused(`The option ${name} of a transaction takes ${takes}.`)
    }
  }
  const { isolation, readOnly = false, deferrable = false, settings = {}, retries = 0 } = options
  if (deferrable && !(readOnly && isolation === 'serializable')) {
    throw refused(
      "The option deferrable takes isolation: 'serializable' and readOnly: true with it.",
    )
  }
  const modes = [
    isolation ? ` isolation level ${isolation}` : '',
    readOnly ? ' read only' : '',
    deferrable ? ' deferrable' : '',
  ]
  return {
    begin: `begin${modes.join('')}`,
    settings: readSettings(settings),
    retries,
    // What a serializable transaction has read holds only once it has been committed.
    endsSafely: readOnly && (isolation !== 'serializable' || deferrable),
  }
}

/** Whether options only say what holds without them. */
export function asksForNothing(options: TransactionOptions): boolean {
  const { isolation, readOnly, deferrable, settings = {}, retries } = options
  return !(isolation || readOnly || deferrable || retries || Object.keys(settings).length > 0)
}

/** Checks names and values; the values stay values all the way. */
export function readSettings(settings: Readonly<Record<string, unknown>>): Setting[] {
  if (!isObject(settings)) throw refused('Settings are an object of values by name.')
  const entries = Object.entries(settings)
  if (entries.length > MAX_SETTINGS) throw refused(`At most ${MAX_SETTINGS} settings are taken.`)
  return entries.map(([name, value]) => {
    if (!SETTING.test(name) || name.length > MAX_NAME_BYTES) {
      throw refused(`${JSON.stringify(name.slice(0, 80))} is not the name of a setting.`)
    }
    const text = typeof value === 'string' ? value : String(value)
    const isValue = ['string', 'number', 'boolean'].includes(typeof value)
    if (!isValue || text.includes('\0') || text.length > MAX_VALUE_LENGTH) {
      throw refused(
        `The setting ${name} takes a text of up to ${MAX_VALUE_LENGTH} characters without NUL, a number, true or false.`,
      )
    }
    return [name, text]
  })
}

function refused(words: string): NullpoolError {
  return new NullpoolError('ERR_OPTIONS', words)
}
