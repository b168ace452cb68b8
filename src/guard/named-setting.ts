import { namesAt, type Pieces } from './statement-pieces.ts'

/** The setting that a SET or a RESET names, as the server knows it, and whether SET is LOCAL. */
export function namedSetting([, ...rest]: Pieces): { name: string; isLocal: boolean } {
  const [first = '', second = ''] = rest
  const isSession = first === 'session' && !/^(?:authorization|characteristics)$/.test(second)
  // In `set local.tenant` it is a part of the name.
  const isScope = (first === 'local' || isSession) && second !== '.'
  const named = isScope ? rest.slice(1) : rest
  return { name: nameAtBeginning(named), isLocal: isScope && first === 'local' }
}

/** Names have parts: `request.jwt.claims`, each with its quotes or without. */
function nameAtBeginning(pieces: Pieces): string {
  const [first, second] = pieces
  return first === 'session' && second !== '.' ? `session_${second}` : namesAt(pieces, 0).join('.')
}
