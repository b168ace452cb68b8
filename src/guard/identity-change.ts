import { isIdentitySetting } from '../identity-setting.ts'
import { settingCalls } from './function-calls.ts'
import { namedSetting } from './named-setting.ts'
import type { Pieces } from './statement-pieces.ts'

/** `possible` where the name of a setting is not written out. */
export type IdentityChange = 'certain' | 'possible'

/** Whether a statement changes for whom it and its transaction run. */
export function changedIdentity(pieces: Pieces): IdentityChange | undefined {
  const [head, second] = pieces
  if (head === 'discard') return second === 'all' ? 'certain' : undefined
  if (head === 'set' || head === 'reset') {
    const { name } = namedSetting(pieces)
    const isAll = head === 'reset' && name === 'all'
    return isAll || isIdentitySetting(name) ? 'certain' : undefined
  }
  let possible = false
  for (const { name } of settingCalls(pieces)) {
    if (name === undefined) possible = true
    else if (isIdentitySetting(name)) return 'certain'
  }
  return possible ? 'possible' : undefined
}
