import { parseConnectionString } from '../../connection-string.ts'
import { CommandFailure } from '../failure.ts'
import { failureText } from '../failure-text.ts'
import { readServerConnections, type ServerConnections } from './server-connections.ts'

/** Asks the server of a connection string, with one login and on one connection. */
export async function askServer(
  url: string,
  ca: string | undefined,
): Promise<{ connections: ServerConnections; role: string }> {
  const target = parseConnectionString(url)
  const { user, projectRef, provider } = target
  const { createDatabase } = await library()
  const database = createDatabase({
    url,
    ...(ca !== undefined && { tls: { ca } }),
    // What there is to say of the string the command says itself.
    onEvent: () => undefined,
  })
  const connections = await database
    .run({}, ({ sql }) => readServerConnections(sql))
    .catch((cause: unknown) => {
      throw new CommandFailure(failureText(cause, [target]), { cause })
    })
  const shared = provider === 'supabase-shared' && projectRef !== undefined
  return { connections, role: shared ? user.slice(0, -projectRef.length - 1) : user }
}

/** It takes the driver from the project, and commands that ask no server do without both. */
async function library(): Promise<typeof import('nullpool')> {
  try {
    return await import('nullpool')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new CommandFailure(
      'The driver is not installed. Run "npm install postgres" in this project, then this command again.',
      { cause },
    )
  }
}
