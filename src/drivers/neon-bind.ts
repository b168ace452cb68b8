import type { BindConfig, Connection } from '@neondatabase/serverless'

/**
 * Has the values of a statement made before the statement's message is begun. pg writes all messages of
 * all clients in one buffer, and a value that cannot be made (an object with a cycle in it) would leave
 * half a message there, for whoever writes next.
 */
export function bindSafely(connection: Connection): void {
  const bind = connection.bind.bind(connection)
  connection.bind = (config, more) => bind(config && prepared(config), more)
}

function prepared(config: BindConfig): BindConfig {
  const { values = [], valueMapper } = config
  const made = valueMapper ? values.map(valueMapper) : values
  made.forEach((value, at) => {
    if (value !== null && typeof value !== 'string' && !(value instanceof Uint8Array)) {
      throw new TypeError(`Value ${at + 1} of the statement has no text.`)
    }
  })
  return { ...config, values: made, valueMapper: undefined }
}
