import { describe, expect, it } from 'vitest'
import { guardedTransport } from '../../../src/gateway/guarded-transport.ts'
import { TargetList } from '../../../src/gateway/targets.ts'
import type { Connection, Transport } from '../../../src/wire/transport.ts'
import { MemoryServer } from '../../support/memory-server.ts'

const OPTIONS = { signal: new AbortController().signal, willStartTls: false }

/** Connects by a name, on a runtime that says what it leads to. */
async function connectByName(inner: Transport): Promise<Connection> {
  const targets = new TargetList(['db.example.com:5432'])
  const transport = guardedTransport(inner, targets, () => Promise.resolve(['93.184.215.14']))
  return await transport.connect({ host: 'db.example.com', port: 5432 }, OPTIONS)
}

describe('a connection to what a name leads to', () => {
  it('ends its own side as the connection beneath does', async () => {
    const ended: string[] = []
    const inner: Transport = {
      name: 'with half-closes',
      async connect(address, options) {
        const connection = await new MemoryServer().connect(address, options)
        return Object.assign(connection, {
          async endWriting(this: unknown) {
            ended.push(this === connection ? address.host : 'of somebody else')
          },
        })
      },
    }
    const connection = await connectByName(inner)
    await connection.endWriting?.()
    expect(ended).toEqual(['93.184.215.14'])
  })

  it('has no way to do that where there is none beneath', async () => {
    expect((await connectByName(new MemoryServer())).endWriting).toBeUndefined()
  })
})
