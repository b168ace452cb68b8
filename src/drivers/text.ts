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
  unsafe(
    text: string,
    values?: readonly (string | null)[],
    measure?: ResultMeasure,
  ): Promise<TextResult>
}

/** Says how many bytes a result becomes, piece by piece. */
export interface ResultMeasure {
  fields(fields: TextField[]): number
  row(row: TextRow): number
  /** What is left, once its command and the number of its rows are known. */
  end(result: TextResult): number
}

/**
 * What makes clients of text only: for those who read the values elsewhere.
 *
 * @param maxResultBytes - Of all results of a client together, as they are measured.
 */
export function textDriver({ maxResultBytes }: { maxResultBytes: number }): Driver {
  return { createClient: (host) => new TextClient(host, maxResultBytes) as unknown as Sql }
}

/** A client of {@link textDriver}, as which a scope's `sql` passes it on. */
export function asText(sql: Sql | TransactionSql): TextSql {
  return sql as unknown as TextSql
}

/** Of what is in no answer, such as the end of a transaction. */
const UNMEASURED: ResultMeasure = { fields: () => 0, row: () => 0, end: () => 0 }

/** What lies around the values of a row at the most; what they become has half of their bytes at the least. */
const ROW_COST = 8_192

/** A statement on its way. */
interface Statement {
  flight: Uint8Array
  result: TextResult
  measure: ResultMeasure
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
    measure: ResultMeasure = UNMEASURED,
  ): Promise<TextResult> {
    return new Promise((resolve, reject) => {
      const result = { command: '', rowCount: null, fields: [], rows: [] }
      const flight = statementFlight(text, values)
      this.#waiting.push({ flight, result, measure, resolve, reject })
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
        return this.#count(statement, statement.measure.end(result))
      case Backend.emptyQueryResponse:
        return this.#count(statement, statement.measure.end(result))
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
    const fields = readFields(message)
    statement.result.fields = fields
    this.#count(statement, statement.measure.fields(fields))
  }

  #addRow(message: Uint8Array, statement: Statement): void {
    const most = this.#maxResultBytes
    // Once they are too many, whatever comes is; and what is far too long is not even read.
    if (this.#resultBytes > most || message.length > most * 2 + ROW_COST) {
      return this.#stop(statement)
    }
    const row = readRow(message)
    statement.result.rows.push(row)
    this.#count(statement, statement.measure.row(row))
  }

  #count(statement: Statement, bytes: number): void {
    this.#resultBytes += bytes
    if (this.#resultBytes > this.#maxResultBytes) this.#stop(statement)
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
