import { expect, it } from 'vitest'
import { NullpoolError } from '../../../src/errors.ts'
import { WaitingLine } from '../../../src/pool/waiting-line.ts'

const late = (): NullpoolError => new NullpoolError('ERR_POOL_TIMEOUT', 'late')
const never = new AbortController().signal

it('serves in the order of coming, and says when nobody waits', async () => {
  const line = new WaitingLine<number>()
  const waits = [1, 2, 3].map(() => line.join(10_000, never, late))
  expect(line.length).toBe(3)
  expect([line.serve(1), line.serve(2), line.serve(3), line.serve(4)]).toEqual([
    true,
    true,
    true,
    false,
  ])
  expect(await Promise.all(waits)).toEqual([1, 2, 3])
})

it('lets go of whoever leaves or waits too long, and serves those behind', async () => {
  const line = new WaitingLine<number>()
  const leaving = new AbortController()
  const left = line.join(10_000, leaving.signal, late)
  const tired = line.join(1, never, late)
  const patient = line.join(10_000, never, late)
  leaving.abort(new Error('gone'))
  await expect(left).rejects.toThrow('gone')
  await expect(tired).rejects.toMatchObject({ code: 'ERR_POOL_TIMEOUT' })
  expect(line.length).toBe(1)
  line.serve(1)
  expect(await patient).toBe(1)
})

it('fails everybody at its end, and whoever has left before joining', async () => {
  const line = new WaitingLine<number>()
  const waits = [1, 2].map(() => line.join(10_000, never, late))
  line.fail(late)
  for (const wait of waits) await expect(wait).rejects.toMatchObject({ code: 'ERR_POOL_TIMEOUT' })
  await expect(line.join(10_000, AbortSignal.abort(new Error('gone')), late)).rejects.toThrow(
    'gone',
  )
  expect(line.length).toBe(0)
})
