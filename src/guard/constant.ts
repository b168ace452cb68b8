import { closingOf, type Pieces } from './statement-pieces.ts'

/** Types that leave a text and a truth value what they are. */
const TYPE = /^(?:text|bool|boolean)$/

const TRUE = /^(?:true|1|'\s*(?:t|tr|tru|true|y|ye|yes|on|1)\s*)$/i

/** What constants are made of beside texts, numbers and operators. */
const WORDS =
  /^(?:true|false|null|not|and|or|is|cast|as|bool|boolean|int|integer|text|unknown|pg_catalog|case|when|then|else|end|select|distinct|from|in|between)$/

/** Whether an expression depends on nothing: on no column, no function and no value that is bound. */
export function isConstant(pieces: Pieces): boolean {
  const isWord = (piece: string): boolean =>
    /^["\w\u0080-\uffff]/.test(piece) && !/^(?:\d|E')/.test(piece)
  const depends = pieces.some((piece) => piece === '$' || (isWord(piece) && !WORDS.test(piece)))
  return pieces.length > 0 && !depends
}

/** Whether a constant is clearly true. */
export function isTrue(pieces: Pieces): boolean {
  const [value = '', ...more] = unwrapped(pieces)
  return more.length === 0 && TRUE.test(value)
}

/** What a text says; nothing where it is anything else, or has escapes. */
export function textOf(pieces: Pieces): string | undefined {
  const [value = '', ...more] = unwrapped(pieces)
  return more.length === 0 && value.startsWith("'") ? value.slice(1) : undefined
}

/** `(x)`, `x::text`, `cast(x as text)` and `text 'x'` are x. */
function unwrapped(pieces: Pieces): Pieces {
  let all = pieces
  for (let inner = inside(all); inner; inner = inside(all)) all = inner
  return all
}

function inside(pieces: Pieces): Pieces | undefined {
  const last = pieces.length - 1
  const [third = '', second = '', type = ''] = pieces.slice(-3)
  if (pieces[0] === '(' && closingOf(pieces, 0) === last) return pieces.slice(1, -1)
  if (TYPE.test(type) && second === ':' && third === ':') return pieces.slice(0, -3)
  if (pieces[0] === 'cast' && closingOf(pieces, 1) === last) {
    return TYPE.test(second) && third === 'as' ? pieces.slice(2, -3) : undefined
  }
  return pieces.length === 2 && TYPE.test(pieces[0] ?? '') ? pieces.slice(1) : undefined
}
