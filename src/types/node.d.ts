/**
 * The part of Node's API that this package reads. Written by hand, so that nobody needs `@types/node`
 * to compile against the package and nothing else of Node can slip into it; the check of the whole
 * repository uses the real types instead, which keeps these honest.
 */
declare module 'node:net' {
  export interface Socket {
    on(event: 'data', listener: (chunk: Uint8Array) => void): this
    on(event: 'error', listener: (error: Error) => void): this
    on(event: 'connect' | 'end' | 'close', listener: () => void): this
    off(event: 'data', listener: (chunk: Uint8Array) => void): this
    off(event: 'error', listener: (error: Error) => void): this
    off(event: 'connect' | 'end' | 'close', listener: () => void): this
    once(event: 'error', listener: (error: Error) => void): this
    once(event: 'connect' | 'end' | 'close' | 'secureConnect', listener: () => void): this
    write(chunk: Uint8Array, callback: (error?: Error | null) => void): boolean
    end(): this
    destroy(): this
    pause(): this
    resume(): this
    setNoDelay(noDelay?: boolean): this
    readonly destroyed: boolean
  }
  export function connect(options: { host: string; port: number }): Socket
  export function isIP(text: string): 0 | 4 | 6
}

declare module 'node:tls' {
  import type { Socket } from 'node:net'
  export function connect(options: {
    socket: Socket
    host: string
    servername?: string
    ca?: string
    secureContext?: SecureContext
    ALPNProtocols?: string[]
  }): TLSSocket

  export interface SecureContext {
    readonly context: unknown
  }
  export function createSecureContext(options: { ca: string[] }): SecureContext
  export const rootCertificates: readonly string[]
  /** From Node 22.15 on. */
  export const getCACertificates: ((type: 'default') => string[]) | undefined

  interface TLSSocket extends Socket {
    readonly alpnProtocol: string | false | null
  }
}

declare module 'node:async_hooks' {
  export class AsyncLocalStorage<T> {
    static bind<V extends unknown[], R>(callback: (...values: V) => R): (...values: V) => R
    run<R>(store: T, callback: () => R): R
    getStore(): T | undefined
  }
}

declare module 'node:dns/promises' {
  export function lookup(name: string, options: { all: true }): Promise<{ address: string }[]>
}

declare module 'node:buffer' {
  export const Buffer: {
    from(buffer: ArrayBufferLike, byteOffset: number, length: number): Uint8Array
  }
}

declare module 'node:events' {
  export class EventEmitter {
    emit(event: string, ...values: unknown[]): boolean
    listenerCount(event: string): number
  }
}

declare module 'node:process' {
  export const env: Record<string, string | undefined>
}
