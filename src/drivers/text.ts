import { NullpoolError } from '../errors.ts'
import { MessageReader } from '../wire/message-reader.ts'
import {
  Backend,
  concat,
  copyFailMessage,
  MESSAGE_LIMIT,
  readCString,
  startupMessage,
  syncMessage,
} from '../wire/messages.ts'
import type { Driver, DriverConnection, DriverHost, Sql, TransactionSql } from './driver.ts'
import { readStatementError, StatementError } from './statement-error.ts'
import {
  readCommandTag,
  readFields,
  readRow,
  statementFlight,
  type TextField,
  type TextRow,
} from './text-messages.ts'
import { escapesBytes, fieldsBytes, namesBytes } from './text-size.ts'

/** What a statement gave, every value as text. */
export interface TextResult {
  command: string
  rowCount: number | null
  fields: TextField[]
  rows: TextRow[]
}

/** What this driver's clients can do. */
export interface TextSql {
  /** Sends a statement at once, behind those before. Rejects with {@link StatementError} or {@link NullpoolError}. */
  unsafe(text: string, values?: readonly (string | null)[], shape?: TextShape): Promise<TextResult>
}

/** What becomes of a result, as far as its size goes. */
export interface TextShape {
  /** Whether each row is written with the names of its columns. */
  named: boolean
}

/**
 * What makes clients of text only: for those who read the values elsewhere.
 *
 * @param maxResultBytes - Of all results of a client together, as JSON has them.
 */
export function textDriver({ maxResultBytes }: { maxResultBytes: number }): Driver {
  return { createClient: (host) => new TextClient(host, maxResultBytes) as unknown as Sql }
}

/** A client of {@link textDriver}, as which a scope's `sql` passes it on. */
export function asText(sql: Sql | TransactionSql): TextSql {
  return sql as unknown as TextSql
}

/** A statement on its way. */
interface Statement {
  flight: Uint8Array
  result: TextResult
  named: boolean
  /** What the names of its columns add to each row. */
  namesBytes: number
  error?: unknown
  resolve(result: TextResult): void
  reject(error: unknown): void
}

class TextClient implements TextSql {
  /** A scope adds to them; values stay text all the same. */
  readonly options: object = { parsers: {}, serializers: {} }
  readonly #connection: DriverConnection
  readonly #reader = new MessageReader(MESSAGE_LIMIT)
  readonly #maxResultBytes: number
  #resultBytes = 0
  #greeted = false
  #waiting: Statement[] = []
  /** Written, and not yet answered. */
  #sent: Statement[] = []

  constructor(host: DriverHost, maxResultBytes: number) {
    this.#maxResultBytes = maxResultBytes
    this.#connection = host.connect({
      data: (bytes) => this.#receive(bytes),
      error: (error) => this.#failAll(error),
      released: () => this.#failAll(this.#connection.failure?.()),
      closed: () => undefined,
    })
    const { user, database } = host
    this.#connection.write(startupMessage({ user, database }))
  }

  unsafe(
    text: string,
    values: readonly (string | null)[] = [],
    { named }: TextShape = { named: false },
  ): Promise<TextResult> {
    return new Promise((resolve, reject) => {
      const result = { command: '', rowCount: null, fields: [], rows: [] }
      const flight = statementFlight(text, values)
      this.#waiting.push({ flight, result, named, namesBytes: 0, resolve, reject })
      this.#send()
    })
  }

  #send(): void {
    if (!this.#greeted || this.#waiting.length === 0) return
    // An error that is about to be told is about what was sent before it.
    if (this.#connection.failing) return queueMicrotask(() => this.#send())
    for (const statement of this.#waiting.splice(0)) {
      this.#sent.push(statement)
      this.#connection.write(statement.flight)
    }
  }

  #failAll(error: unknown): void {
    for (const { reject } of this.#sent.splice(0)) reject(error)
  }

  #receive(bytes: Uint8Array): void {
    this.#reader.push(bytes)
    for (;;) {
      const message = this.#reader.next()
      if (!message) return
      if (message[0] === Backend.readyForQuery) this.#end()
      else if (this.#sent[0]) this.#read(message, this.#sent[0])
    }
  }

  #end(): void {
    const statement = this.#greeted ? this.#sent.shift() : undefined
    this.#greeted = true
    this.#send()
    if (!statement) return
    if (statement.error === undefined) statement.resolve(statement.result)
    else statement.reject(statement.error)
  }

  #read(message: Uint8Array, statement: Statement): void {
    const { result } = statement
    switch (message[0]) {
      case Backend.rowDescription:
        return this.#describe(message, statement)
      case Backend.dataRow:
        return this.#addRow(message, statement)
      case Backend.commandComplete:
        Object.assign(result, readCommandTag(readCString(message, 5)))
        return
      case Backend.errorResponse:
        statement.error ??= readStatementError(message)
        return
      case Backend.copyOutResponse:
        statement.error ??= noCopy()
        return
      case Backend.copyInResponse:
        statement.error ??= noCopy()
        // The server has taken no notice of the first Sync.
        this.#connection.write(
          concat([copyFailMessage('There is nothing to copy.'), syncMessage()]),
        )
    }
  }

  #describe(message: Uint8Array, statement: Statement): void {
    if (!this.#fits(fieldsBytes(message))) return this.#stop(statement)
    const fields = readFields(message)
    if (!this.#fits(fields.reduce((sum, { name }) => sum + escapesBytes(name), 0))) {
      return this.#stop(statement)
    }
    statement.result.fields = fields
    if (statement.named) statement.namesBytes = namesBytes(fields)
  }

  #addRow(message: Uint8Array, statement: Statement): void {
    if (!this.#fits(message.length + statement.namesBytes)) return this.#stop(statement)
    const row = readRow(message)
    if (!this.#fits(row.reduce((sum, value) => sum + escapesBytes(value), 0))) {
      return this.#stop(statement)
    }
    statement.result.rows.push(row)
  }

  /** Counts bytes of a result; once they are too many, whatever comes is. */
  #fits(bytes: number): boolean {
    this.#resultBytes += bytes
    return this.#resultBytes <= this.#maxResultBytes
  }

  /** Beyond the limit nobody waits for the end; what still comes is dropped. */
  #stop(statement: Statement): void {
    statement.result.rows = []
    statement.error ??= new NullpoolError(
      'ERR_RESULT_SIZE',
      `The rows are more than ${this.#maxResultBytes} bytes.`,
      { hint: 'Ask for fewer rows or columns.' },
    )
    statement.reject(statement.error)
  }
}

function noCopy(): StatementError {
  const code = '0A000'
  return new StatementError('COPY has no place in a single request.', { severity: 'ERROR', code })
}
