import { describe, expect, it } from 'vitest'
import { Outbox } from '../../../src/wire/outbox.ts'
import type { Connection } from '../../../src/wire/transport.ts'

interface Side {
  outbox: Outbox
  /** What arrived, a write each. */
  writes: string[]
  failures: unknown[]
  /** Lets the write under way end. */
  take(error?: Error): Promise<void>
}

/** An outbox whose connection takes a write only when it is told to. */
function side(early?: number): Side {
  const writes: string[] = []
  const failures: unknown[] = []
  const waiting: PromiseWithResolvers<void>[] = []
  const connection = {
    write(bytes: Uint8Array) {
      writes.push(Buffer.from(bytes).toString())
      const write = Promise.withResolvers<void>()
      waiting.push(write)
      return write.promise
    },
  } as unknown as Connection
  return {
    outbox: new Outbox(connection, (error) => failures.push(error), early),
    writes,
    failures,
    async take(error) {
      const write = waiting.shift()
      if (error) write?.reject(error)
      else write?.resolve()
      await new Promise((resolve) => setImmediate(resolve))
    },
  }
}

const text = (words: string): Uint8Array => Buffer.from(words)
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('Outbox', () => {
  it('Outbox joins what is written in one turn, and what comes while a write is under way', async () => {
    const { outbox, writes, take } = side()
    const taken = [outbox.write(text('a')), outbox.write(text('b'))]
    await turn()
    expect(writes).toEqual(['ab'])
    taken.push(outbox.write(text('c')), outbox.write(text('d')))
    await turn()
    expect(writes).toEqual(['ab'])
    await take()
    expect(writes).toEqual(['ab', 'cd'])
    expect(outbox.waiting).toBe(true)
    await take()
    await Promise.all(taken)
    expect(outbox.waiting).toBe(false)
  })

  it('Outbox does not join what is large', async () => {
    const { outbox, writes, take } = side()
    const large = 'x'.repeat(65_536)
    const taken = [outbox.write(text('a')), outbox.write(text(large)), outbox.write(text('b'))]
    await turn()
    await take()
    await take()
    await take()
    await Promise.all(taken)
    expect(writes).toEqual(['a', large, 'b'])
  })

  it('Outbox resolves a write of nothing with those before it', async () => {
    const { outbox, writes, take } = side()
    const taken: string[] = []
    void outbox.write(text('a')).then(() => taken.push('a'))
    void outbox.write().then(() => taken.push('nothing'))
    await turn()
    expect(taken).toEqual([])
    await take()
    expect(taken).toEqual(['a', 'nothing'])
    expect(writes).toEqual(['a'])
  })

  it('Outbox rejects everything of a write that fails, says so once each, and goes on', async () => {
    const { outbox, writes, failures, take } = side()
    const results = Promise.allSettled([outbox.write(text('a')), outbox.write(text('b'))])
    await turn()
    const error = new Error('EPIPE')
    await take(error)
    const rejected = { status: 'rejected', reason: error }
    expect(await results).toEqual([rejected, rejected])
    expect(failures).toEqual([error, error])
    expect(outbox.waiting).toBe(false)
    const next = outbox.write(text('c'))
    await turn()
    await take()
    await next
    expect(writes).toEqual(['ab', 'c'])
  })

  it('Outbox lets so many bytes go at first, and the rest once it is opened', async () => {
    const { outbox, writes, take } = side(5)
    let taken = false
    const first = outbox.write(text('abc'))
    await turn()
    const second = outbox.write(text('defgh')).then(() => {
      taken = true
    })
    const third = outbox.write(text('i'))
    await take()
    await first
    await take()
    expect(writes).toEqual(['abc', 'de'])
    outbox.open()
    await turn()
    expect(writes).toEqual(['abc', 'de', 'fghi'])
    expect(taken).toBe(false)
    await take()
    await Promise.all([second, third])
    expect(taken).toBe(true)
  })
})
