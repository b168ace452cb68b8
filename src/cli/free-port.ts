import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { ProgramError } from './child-process.ts'

/** Every server of this folder listens here and nowhere else. */
export const LOOPBACK = '127.0.0.1'

/** Tries before a machine that takes every port from us is given up. */
const ATTEMPTS = 5

/** Somebody else listens on the port that was asked for. */
export class PortInUseError extends Error {
  override readonly name: string = 'PortInUseError'
  /** The port that is taken. */
  readonly port: number

  /** Takes the port, and what was found out about it. */
  constructor(port: number, options?: ErrorOptions) {
    super(`Port ${port} is already in use.`, options)
    this.port = port
  }
}

/** A port that nobody listens on at this moment. */
export async function findFreePort(): Promise<number> {
  return await listenOnce(0)
}

/** Throws {@link PortInUseError} where somebody listens on the port already. */
export async function assertPortFree(port: number): Promise<void> {
  await listenOnce(port)
}

/**
 * Starts a server on the port that was asked for, or on a free one.
 *
 * A free port can be taken by somebody else before the server has it: then another one is tried.
 */
export async function startOnPort<Server>(
  wanted: number | undefined,
  start: (port: number) => Promise<Server>,
): Promise<Server> {
  for (let attempt = 1; ; attempt++) {
    if (wanted) await assertPortFree(wanted)
    const port = wanted || (await findFreePort())
    try {
      return await start(port)
    } catch (error) {
      if (!(error instanceof ProgramError && error.output.includes('Address already in use'))) {
        throw error
      }
      if (wanted || attempt === ATTEMPTS) throw new PortInUseError(port, { cause: error })
    }
  }
}

async function listenOnce(port: number): Promise<number> {
  const server = createServer()
  try {
    server.listen(port, LOOPBACK)
    await once(server, 'listening')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EADDRINUSE') throw new PortInUseError(port, { cause: error })
    throw new Error(`Port ${port} cannot be listened on (${code}).`, { cause: error })
  }
  const address = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return address.port
}
