import type { Note } from './report.ts'

/** Begins an alert of TLS, and no message of Postgres. */
const ALERT = 0x15

/** How a server that knows no TLS in the middle of a connection meets one that begins in clear. */
export class TlsFirst extends Error {
  override readonly name = 'TlsFirst'
  /** An alert is proof; an end can have other reasons. */
  readonly sign: 'alert' | 'end'

  constructor(sign: 'alert' | 'end', options?: ErrorOptions) {
    super('The server speaks TLS from the first byte on.', options)
    this.sign = sign
  }

  /** Throws where the first bytes of a server are an alert. */
  static throwIfAlert([first]: Uint8Array): void {
    if (first === ALERT) throw new TlsFirst('alert')
  }
}

/** What to do about a port that takes TLS alone. */
export function tlsFirstNote(at: string): Note {
  return {
    level: 'error',
    code: 'tls-first',
    message: `${at} speaks TLS from the first byte on, and does not take what is asked in clear.`,
    fix: 'If Postgres is behind that port, add sslmode=verify-full&sslnegotiation=direct to the connection string; else check host and port.',
  }
}
