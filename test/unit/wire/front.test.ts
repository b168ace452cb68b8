import { describe, expect, it } from 'vitest'
import { MemoryBackend } from '../../support/memory-backend.ts'
import { memoryWire } from '../../support/memory-driver.ts'
import { rest } from '../../support/memory-server.ts'
import * as client from '../../support/wire-messages.ts'

describe('Front', () => {
  it('Front answers', async () => {
    const wire = memoryWire()
    const driver = await wire.driver()
    driver.write(client.query('rows 2'))
    const peer = await wire.server.accept()
    const backend = new MemoryBackend(peer)
    void backend.serve()
    expect(await driver.until('Z')).toEqual(['T', 'D', 'D', 'C', 'ZI'])
    await rest()
    expect(wire.events).toEqual(['opening', 'opened', 'answered 1', 'idle'])
  })
})
