import type { Sql } from './driver.ts'

/**
 * Gives every reservation a client of its own on the same connection, so that `sql` beside it waits for
 * its transactions only. What is released is used again.
 *
 * @param connect - Makes a client.
 */
export function reserveApart(connect: () => Sql): Sql['reserve'] {
  const released: Sql[] = []
  return async () => {
    const client = released.pop() ?? connect()
    const reserved = await client.reserve()
    const release = reserved.release.bind(reserved)
    let held = true
    return Object.assign(reserved, {
      release() {
        if (!held) return
        held = false
        release()
        released.push(client)
      },
    })
  }
}
