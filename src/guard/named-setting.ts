import { nameOf, type Pieces } from './statement-pieces.ts'

/** The setting that a SET or a RESET names, as the server knows it, and whether SET is LOCAL. */
export function namedSetting([, ...rest]: Pieces): { name: string; isLocal: boolean } {
  const [first = '', second = ''] = rest
  const isScope =
    first === 'local' ||
    (first === 'session' && !/^(?:authorization|characteristics)$/.test(second))
  const named = isScope ? rest.slice(1) : rest
  return { name: nameAtBeginning(named), isLocal: isScope && first === 'local' }
}

/** Names have parts: `request.jwt.claims`, each with its quotes or without. */
function nameAtBeginning(pieces: Pieces): string {
  if (pieces[0] === 'session') return pieces.slice(0, 2).join('_')
  let end = 1
  while (pieces[end] === '.') end += 2
  return pieces.slice(0, end).map(nameOf).join('')
}
