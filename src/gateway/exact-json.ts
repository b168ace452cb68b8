/** JSON.parse with source text access, which every runtime of this package has and TypeScript not yet. */
interface ExactJson {
  parse(
    text: string,
    reviver: (key: string, value: unknown, at: { source?: string }) => unknown,
  ): unknown
  rawJSON(text: string): object
  isRawJSON(value: unknown): value is { rawJSON: string }
}

const json = JSON as unknown as ExactJson

/**
 * Reads JSON without changing a number: numbers become what `JSON.stringify` writes as they were. Doubles
 * would round `9007199254740993`.
 *
 * @throws {SyntaxError}
 *
 * @see https://tc39.es/proposal-json-parse-with-source/
 */
export function parseExactly(text: string): unknown {
  return json.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined ? json.rawJSON(source) : value,
  )
}

/** Whether a value that {@link parseExactly} gave is a number. */
export function isExactNumber(value: unknown): boolean {
  return json.isRawJSON(value)
}
