import { describe, expect, it } from 'vitest'
import { Gate } from '../../../src/wire/gate.ts'
import { rest } from '../../support/memory-server.ts'

/** Whether somebody passes the gate without further ado. */
async function passes(gate: Gate): Promise<boolean> {
  let passed = false
  void gate.passed().then(() => {
    passed = true
  })
  await rest()
  return passed
}

describe('Gate', () => {
  it('Gate lets everybody through while it is open', async () => {
    const gate = new Gate()
    expect(gate.closed).toBe(false)
    expect(await passes(gate)).toBe(true)
  })

  it('Gate holds everybody until it is opened', async () => {
    const gate = new Gate()
    gate.close()
    expect(gate.closed).toBe(true)
    const waiting = [gate.passed(), gate.passed()]
    expect(await passes(gate)).toBe(false)
    gate.open()
    await Promise.all(waiting)
    expect(gate.closed).toBe(false)
  })

  it('Gate that is closed twice is opened by one call', async () => {
    const gate = new Gate()
    gate.close()
    const waiting = gate.passed()
    gate.close()
    gate.open()
    await waiting
    expect(await passes(gate)).toBe(true)
  })

  it('Gate that is opened twice can be closed again', async () => {
    const gate = new Gate()
    gate.open()
    gate.close()
    gate.open()
    gate.open()
    gate.close()
    expect(await passes(gate)).toBe(false)
    gate.open()
    expect(await passes(gate)).toBe(true)
  })
})
