/** What the tests inside of Deno use of it. */
declare namespace Deno {
  function test(name: string, run: () => Promise<void>): void
  const env: { get(name: string): string | undefined }
}
