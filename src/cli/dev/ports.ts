import { CommandFailure } from '../failure.ts'
import { assertPortFree, PortInUseError } from '../free-port.ts'

/** The ports that `nullpool dev` was asked to listen on, by option. */
export interface DevPorts {
  port: number
  gateway?: number
}

/**
 * Refuses ports that cannot be had, before anything is started.
 *
 * @throws CommandFailure which names the option to change and a port that is free.
 */
export async function checkPorts({ port, gateway }: DevPorts): Promise<void> {
  const taken = gateway === undefined ? [port] : [port, gateway]
  if (port === gateway) {
    throw new CommandFailure(
      `--port and --gateway are both ${port}. Choose another one: --gateway ${await freeBeside(port, taken)}`,
    )
  }
  await checkFree(port, '--port', taken)
  if (gateway !== undefined) await checkFree(gateway, '--gateway', taken)
}

async function checkFree(port: number, flag: string, taken: readonly number[]): Promise<void> {
  try {
    await assertPortFree(port)
  } catch (error) {
    if (!(error instanceof PortInUseError)) {
      throw new CommandFailure(`${flag}: ${messageOf(error)}`, { cause: error })
    }
    throw new CommandFailure(
      `${error.message} Stop what listens there, or choose another one: ${flag} ${await freeBeside(port, taken)}`,
      { cause: error },
    )
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The next one that nobody has, this command among them. */
async function freeBeside(port: number, taken: readonly number[]): Promise<number> {
  for (let next = port + 1; next < Math.min(port + 50, 65_536); next++) {
    if (taken.includes(next)) continue
    const isFree = await assertPortFree(next).then(
      () => true,
      () => false,
    )
    if (isFree) return next
  }
  return port < 65_535 ? port + 1 : port - 1
}
