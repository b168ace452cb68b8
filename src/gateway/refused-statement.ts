import {
  Frontend,
  frame,
  queryMessage,
  readCString,
  statementText,
  uint16,
  uint32,
} from '../wire/messages.ts'
import { SqlLexer } from '../wire/sql-lexer.ts'

/** OIDs of types (`pg_type.dat`; they never change). */
const TEXT = 25
const [UNSPECIFIED, UNKNOWN] = [0, 705]

/** A message counts parameters with 16 bits. */
const MAX_PARAMETERS = 65_535

/** What a statement is refused with; texts of the gateway's own. */
export interface Refusal {
  sqlState: string
  message: string
  detail: string
  hint: string
}

/**
 * A message of the same kind as a Query or a Parse, whose statement has the server itself raise the error:
 * answers keep their order, transactions their state, and what is in flight behind it fails as behind any
 * other error. It takes as many parameters as the statement that was refused.
 */
export function refusedStatement(message: Uint8Array, refusal: Refusal): Uint8Array {
  const text = raising(refusal)
  if (message[0] === Frontend.query) return queryMessage(text)
  const types = parameterTypes(message)
  const name = readCString(message, HEAD)
  return frame(Frontend.parse, `${name}\0${text}\0`, uint16(types.length), uint32(...types))
}

const HEAD = 5

function raising({ sqlState, message, detail, hint }: Refusal): string {
  const options = Object.entries({ errcode: sqlState, message, detail, hint })
  const using = options.map(([name, value]) => `${name} = '${plain(value)}'`)
  return `DO $nullpool$ BEGIN RAISE EXCEPTION USING ${using.join(', ')}; END $nullpool$`
}

/** As every encoding of a client has it. */
function plain(text: string): string {
  return text
    .replaceAll("'", "''")
    .replaceAll('…', '...')
    .replace(/[^\x20-\x7e]/g, '')
}

/** The types that the client has said, and `text` for those that it leaves to the server. */
function parameterTypes(message: Uint8Array): number[] {
  const text = message.indexOf(0, HEAD) + 1
  const from = message.indexOf(0, text) + 1
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength)
  const said = Math.min(
    from + 2 <= message.length ? view.getUint16(from) : 0,
    Math.floor(Math.max(0, message.length - from - 2) / 4),
  )
  const count = Math.min(MAX_PARAMETERS, Math.max(said, countParameters(statementText(message))))
  return Array.from({ length: count }, (_, n) => {
    const type = n < said ? view.getUint32(from + 2 + n * 4) : UNSPECIFIED
    return type === UNSPECIFIED || type === UNKNOWN ? TEXT : type
  })
}

/** The highest number behind a `$`. */
function countParameters(text: string): number {
  const lexer = new SqlLexer(text)
  let highest = 0
  while (lexer.next()) {
    if (lexer.kind !== 'symbol' || lexer.value !== '$') continue
    const [digits = '0'] = /^\d+/.exec(text.slice(lexer.end, lexer.end + 6)) ?? []
    highest = Math.max(highest, Number(digits))
  }
  return highest
}
