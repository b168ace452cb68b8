import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Deadline, settledWithin } from '../../../src/wire/deadline.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

describe('Deadline', () => {
  it('Deadline expires once, at its time and not before', () => {
    const expire = vi.fn()
    new Deadline().start(100, expire)
    vi.advanceTimersByTime(99)
    expect(expire).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    vi.advanceTimersByTime(1000)
    expect(expire).toHaveBeenCalledTimes(1)
  })

  it('Deadline that is stopped never expires and leaves no timer', () => {
    const expire = vi.fn()
    const deadline = new Deadline()
    deadline.stop()
    deadline.start(100, expire)
    deadline.stop()
    deadline.stop()
    expect(vi.getTimerCount()).toBe(0)
    vi.advanceTimersByTime(1000)
    expect(expire).not.toHaveBeenCalled()
  })

  it('Deadline that is started again replaces the wait before', () => {
    const first = vi.fn()
    const second = vi.fn()
    const deadline = new Deadline()
    deadline.start(100, first)
    vi.advanceTimersByTime(60)
    deadline.start(100, second)
    vi.advanceTimersByTime(60)
    expect(first).not.toHaveBeenCalled()
    expect(second).not.toHaveBeenCalled()
    vi.advanceTimersByTime(40)
    expect(first).not.toHaveBeenCalled()
    expect(second).toHaveBeenCalledTimes(1)
  })
})

describe('Deadline of a process that stood still', () => {
  /** Whoever stops the process stops its timers, and no clock. */
  const standStill = (ms: number): void => void vi.setSystemTime(Date.now() + ms)

  it('Deadline leaves time to read what has come meanwhile, once', () => {
    const expire = vi.fn()
    new Deadline().start(100, expire)
    standStill(5_000)
    vi.advanceTimersByTime(100)
    expect(expire).not.toHaveBeenCalled()
    standStill(5_000)
    vi.advanceTimersByTime(50)
    expect(expire).toHaveBeenCalledTimes(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('Deadline that is stopped in this time never expires', () => {
    const expire = vi.fn()
    const deadline = new Deadline()
    deadline.start(100, expire)
    standStill(5_000)
    vi.advanceTimersByTime(100)
    deadline.stop()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('Deadline that is started again in this time has all of its own', () => {
    const expire = vi.fn()
    const deadline = new Deadline()
    deadline.start(100, expire)
    standStill(5_000)
    vi.advanceTimersByTime(100)
    deadline.start(80, expire)
    vi.advanceTimersByTime(79)
    expect(expire).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(expire).toHaveBeenCalledTimes(1)
  })
})

describe('settledWithin', () => {
  it('settledWithin is true for work that resolves, and leaves no timer', async () => {
    await expect(settledWithin(Promise.resolve(), 100)).resolves.toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('settledWithin is true for work that rejects', async () => {
    await expect(settledWithin(Promise.reject(new Error('x')), 100)).resolves.toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('settledWithin is false at the end of the time, and not before', async () => {
    let result: boolean | undefined
    void settledWithin(new Promise(() => undefined), 100).then((settled) => {
      result = settled
    })
    await vi.advanceTimersByTimeAsync(99)
    expect(result).toBeUndefined()
    await vi.advanceTimersByTimeAsync(1)
    expect(result).toBe(false)
  })

  it('settledWithin takes no notice of work that rejects too late', async () => {
    const work = Promise.withResolvers<void>()
    const settled = settledWithin(work.promise, 100)
    await vi.advanceTimersByTimeAsync(100)
    expect(await settled).toBe(false)
    work.reject(new Error('too late'))
    await vi.advanceTimersByTimeAsync(100)
  })
})
