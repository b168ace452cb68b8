/** The part of Deno's API that this package reads, written by hand like its neighbours. */
declare namespace Deno {
  export interface Conn {
    read(into: Uint8Array): Promise<number | null>
    write(bytes: Uint8Array): Promise<number>
    closeWrite(): Promise<void>
    close(): void
  }
  export interface TcpConn extends Conn {
    setNoDelay(noDelay?: boolean): void
  }
  export interface TlsConn extends Conn {
    handshake(): Promise<{ alpnProtocol: string | null }>
  }
  export function connect(options: { hostname: string; port: number }): Promise<TcpConn>
  export function startTls(
    connection: TcpConn,
    options: { hostname: string; caCerts?: string[]; alpnProtocols?: string[] },
  ): Promise<TlsConn>
  export const env: { get(name: string): string | undefined }
}

/** Supabase's runtime of Edge Functions; its main worker has no `waitUntil`. */
declare const EdgeRuntime: { waitUntil?(promise: Promise<unknown>): void } | undefined
