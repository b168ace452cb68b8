/** What has to be there, in any place, for a statement to change what others mean. */
const CHANGES =
  /search_path|set_config|pg_settings|\breset\b|\bdiscard\b|\btemp(?:orary)?\b|\bset\s+(?:local\s+|session\s+)?"?(?:role|schema|session)/i

/**
 * Whether later statements of the same text may take or give something else: the search path or the role
 * has changed, or a temporary table hides another. Functions that do it unseen are not found; from Postgres
 * 18 on the server tells of the path itself.
 */
export function changesMeaning(text: string): boolean {
  return CHANGES.test(text)
}
