import type { Context } from 'hono'
import { createDatabase, type Database } from '../database.ts'
import { StatementError } from '../drivers/statement-error.ts'
import { asText, type TextResult, textDriver } from '../drivers/text.ts'
import type { NullpoolError } from '../errors.ts'
import type { Scope, ScopeContext } from '../scope.ts'
import { formatAddress } from '../wire/format-address.ts'
import type { Address } from '../wire/transport.ts'
import { type AnswerBody, answerBody } from './answer-body.ts'
import { checkBearer } from './bearer.ts'
import type { ConnectionLimit } from './connection-limit.ts'
import { adviceOf, asFailure, failureBody, tellingOf, withoutHint } from './failures.ts'
import type { GatewaySettings } from './options.ts'
import { ResultSize } from './result-size.ts'
import { readSqlDestination } from './sql-destination.ts'
import { readSqlRequest, type SqlRequest } from './sql-request.ts'
import { answerText } from './sql-result.ts'
import type { Target } from './targets.ts'
import { waitUntilOf } from './wait-until.ts'

/** Headers that a transaction's answer repeats. */
const TRANSACTION_HEADERS = [
  'neon-batch-isolation-level',
  'neon-batch-read-only',
  'neon-batch-deferrable',
] as const

/** An answer, and when it was its client's. */
export interface SqlAnswer {
  response: Response
  left: Promise<unknown>
}

/**
 * Statements over HTTP, as Neon's servers take them: one, or several in a transaction, each request on a
 * connection of its own.
 */
export class SqlEndpoint {
  readonly #settings: GatewaySettings
  readonly #limit: ConnectionLimit
  readonly #databases: ReadonlyMap<Target, Database>

  /** @throws {NullpoolError} `ERR_OPTIONS` for what is wrong with how a target is to be reached. */
  constructor(settings: GatewaySettings, limit: ConnectionLimit) {
    this.#settings = settings
    this.#limit = limit
    const { targets } = settings.targets
    this.#databases = new Map(targets.map((target) => [target, databaseOf(target, settings)]))
  }

  /**
   * Refuses whoever brings no token, and whoever is one too many, before anything of the body is read: bodies
   * that arrive fill the memory too.
   *
   * @returns what gives the request's place back.
   */
  async admit(c: Context): Promise<() => void> {
    await checkBearer(c, this.#settings.tokens)
    return this.#limit.enter()
  }

  /** Answers a request that was admitted. */
  async answer(c: Context): Promise<SqlAnswer> {
    const request = await readSqlRequest(c, this.#settings)
    const { address, connectionString } = readSqlDestination(request.connectionString)
    const target = this.#settings.targets.find(address)
    const startedAt = Date.now()
    const done = (failed: { code?: string; hint?: string } = {}): void => {
      this.#settings.emit({
        type: 'query',
        target: formatAddress(address),
        statements: request.statements.length,
        durationMs: Date.now() - startedAt,
        ...failed,
      })
    }
    try {
      const results = await this.#run(scopeContext(c, connectionString), request, target)
      const body = answerBody(answerText(request, results), this.#settings.idleTimeoutMs)
      done()
      return { response: answerWith(c, request, body), left: this.#watched(body, address) }
    } catch (error) {
      const left = Promise.resolve()
      if (!(error instanceof StatementError)) {
        const failure = asFailure(error)
        done({ code: failure.code, ...adviceOf(failure) })
        return { response: this.refuse(c, failure), left }
      }
      done({ code: error.code })
      return { response: c.json({ message: error.message, ...error.fields }, 400), left }
    }
  }

  /** Answers with a failure. */
  refuse(c: Context, failure: NullpoolError): Response {
    const { status } = tellingOf(failure)
    const isUnread = [401, 408, 413].includes(status) || failure.code === 'ERR_GATEWAY_LIMIT'
    if (status === 503) c.header('retry-after', '1')
    // What has not been read of a body must not be taken for the next request of the connection.
    if (isUnread) c.header('connection', 'close')
    if (status === 401) c.header('www-authenticate', 'Bearer realm="nullpool"')
    return c.json(failureBody(failure), status)
  }

  async #watched({ left }: AnswerBody, address: Address): Promise<void> {
    const failure = await left
    if (!failure) return
    const { code } = failure
    const at = { path: '/sql', target: formatAddress(address) } as const
    this.#settings.emit({ type: 'warning', ...at, code, message: withoutHint(failure) })
  }

  async #run(context: ScopeContext, request: SqlRequest, target: Target): Promise<TextResult[]> {
    const database = this.#databases.get(target)
    return (await database?.run(context, (scope) => runStatements(scope, request))) ?? []
  }
}

function databaseOf(target: Target, settings: GatewaySettings): Database {
  const { transport, connectTimeoutMs, queryTimeoutMs, maxResultBytes } = settings
  return createDatabase({
    url: (env) => (env as { connectionString: string }).connectionString,
    pooler: target.pooler,
    // What the client's connection string says must not weaken it.
    ...(target.tls === undefined && target.isLoopback ? {} : { tls: target.tls ?? 'verify' }),
    driver: textDriver({ maxResultBytes }),
    // A request has no session: what it left in one, a pooler would give to somebody else.
    ...(target.pooler === 'postgres' ? {} : { guard: 'throw' }),
    ...{ transport, connectTimeoutMs, queryTimeoutMs },
    // What is odd about a client's connection string is no news for the gateway's own console.
    onEvent: () => undefined,
  })
}

/** A transaction's statements are sent without waiting for each other, as far as the pooler allows. */
async function runStatements(scope: Scope, request: SqlRequest): Promise<TextResult[]> {
  const { statements, transaction, rawText } = request
  const send = async (sql: Parameters<typeof asText>[0]): Promise<TextResult[]> => {
    const client = asText(sql)
    const running = statements.map(({ text, values, arrayMode }, at) =>
      client.unsafe(text, values, new ResultSize({ arrayMode, rawText }, transaction && at)),
    )
    // Behind the first that fails, all of them do.
    for (const each of running) each.catch(() => undefined)
    const results: TextResult[] = []
    for (const each of running) results.push(await each)
    return results
  }
  return transaction ? scope.transaction(transaction, send) : send(scope.sql)
}

function answerWith(
  c: Context,
  { transaction }: SqlRequest,
  { content, length }: AnswerBody,
): Response {
  c.header('content-type', 'application/json')
  if (typeof content !== 'string') c.header('content-length', `${length}`)
  for (const name of transaction ? TRANSACTION_HEADERS : []) {
    const value = c.req.header(name)
    if (value !== undefined && value !== 'false') c.header(name, value)
  }
  return c.body(content)
}

function scopeContext(c: Context, connectionString: string): ScopeContext {
  const { signal } = c.req.raw
  const waitUntil = waitUntilOf(c)
  return {
    env: { connectionString },
    ...(signal ? { signal } : {}),
    ...(waitUntil ? { waitUntil } : {}),
  }
}
