import { savepointOptions } from './scope-refusals.ts'
import { wordsOf } from './wire/control-statement.ts'

/** A snapshot is no mode, and the server refuses it by itself. */
const SETS_MODES =
  /^set (transaction (?!snapshot)|((local|session) )?transaction_(read_only|isolation|deferrable)\b)/

/**
 * For the text of a statement in a savepoint. An isolation level is its transaction's; an access mode is taken
 * back when a savepoint is released, which not every one is, and nothing behind it could write.
 *
 * @throws {NullpoolError} `ERR_OPTIONS` where it sets modes.
 */
export function refuseModes(text: string): void {
  if (SETS_MODES.test(wordsOf(text) ?? '')) throw savepointOptions()
}
