/** What the tests inside of Deno use of it. */
declare namespace Deno {
  interface Connection {
    write(bytes: Uint8Array): Promise<number>
    close(): void
  }
  function test(name: string, run: () => Promise<void>): void
  function test(
    options: { name: string; permissions: { net: 'inherit' | false; env: unknown } },
    run: () => Promise<void>,
  ): void
  function listen(options: { hostname: string; port: number }): AsyncIterable<Connection> & {
    readonly addr: { port: number }
    close(): void
  }
  function serve(
    options: { hostname: string; port: number; onListen(): void },
    handler: (request: Request, info: never) => Response | Promise<Response>,
  ): { readonly addr: { port: number }; shutdown(): Promise<void> }
  const env: {
    get(name: string): string | undefined
    set(name: string, value: string): void
    delete(name: string): void
  }
}
