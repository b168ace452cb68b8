import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { NullpoolError } from '../../../src/errors.ts'
import { memoryWire } from '../../support/memory-driver.ts'
import { rest } from '../../support/memory-server.ts'
import * as server from '../../support/server-messages.ts'
import * as client from '../../support/wire-messages.ts'

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }))
afterEach(() => vi.useRealTimers())

const QUERY_LIMIT = 3_000

/** A driver that is inside of a transaction. */
async function stageTransaction() {
  const wire = memoryWire({ queryTimeoutMs: QUERY_LIMIT, closeTimeoutMs: 10 })
  const driver = await wire.driver()
  driver.write(client.beginAtOnce)
  const peer = await wire.login()
  await peer.expect('Q')
  peer.send(server.commandComplete('BEGIN'), server.ready('T'))
  await driver.until('ZT')
  return { wire, driver, peer }
}

describe('Front within a transaction that is lost', () => {
  it('Transaction.outcome is that of the last transaction, and not of one before', async () => {
    const { wire, driver, peer } = await stageTransaction()
    driver.write(client.query('commit'))
    await peer.expect('Q')
    expect(driver.front.transaction.outcome).toBe('unknown')
    peer.send(server.commandComplete('COMMIT'), server.ready('I'))
    await driver.until('ZI')
    expect(driver.front.transaction.outcome).toBe('committed')
    driver.write(client.query('begin'))
    await driver.until('ZT')
    expect(driver.front.transaction.outcome).toBe('rolled back')
    await wire.upstream.close(() => new NullpoolError('ERR_SCOPE_CLOSED', 'Over.'))
  })

  it('Front frees a driver in time that stays between two statements of a transaction', async () => {
    const { driver, peer } = await stageTransaction()
    peer.finish()
    await rest()
    await vi.advanceTimersByTimeAsync(QUERY_LIMIT)
    expect(driver.unread).toEqual(['ZI'])
    driver.write(client.query('insert'))
    await driver.until('ZI')
    expect(await driver.until('Z')).toEqual(['error ERR_CONNECTION_LOST', 'ZI'])
  })

  it('Front frees a driver in time that does not end a transaction of which a statement was lost', async () => {
    const { driver, peer } = await stageTransaction()
    driver.write(client.query('insert'))
    await peer.expect('Q')
    peer.finish()
    await driver.until('ZE')
    await vi.advanceTimersByTimeAsync(QUERY_LIMIT)
    await rest()
    expect(driver.unread).toEqual(['ZI'])
  })

  it.each(['commit', 'rollback'])(
    'Front takes a transaction for ended whose %s was under way, because no driver ends it twice',
    async (sql) => {
      for (const flight of [
        client.query(sql),
        Buffer.concat([client.extended(sql), client.sync]),
      ]) {
        const { driver, peer } = await stageTransaction()
        driver.write(flight)
        while (!/[QS]/.test((await peer.next()).tag));
        peer.finish()
        expect(await driver.until('Z')).toEqual(['error ERR_CONNECTION_LOST', 'ZI'])
        expect(driver.errors[0]?.retryable).toBe(false)
      }
    },
  )

  it('Front keeps a failed transaction failed until the driver ends it', async () => {
    const { driver, peer } = await stageTransaction()
    driver.write(client.query('insert'))
    await peer.expect('Q')
    peer.finish()
    expect(await driver.until('Z')).toEqual(['error ERR_CONNECTION_LOST', 'ZE'])
    driver.write(client.query('insert again'))
    expect(await driver.until('Z')).toEqual(['error ERR_CONNECTION_LOST', 'ZE'])
    driver.write(client.query('rollback'))
    expect(await driver.until('Z')).toEqual(['error ERR_CONNECTION_LOST', 'ZI'])
  })

  it.each([
    ['commit', 'ZI'],
    [' COMMIT', 'ZI'],
    ['end', 'ZI'],
    ['abort', 'ZI'],
    ['rollback work', 'ZI'],
    ['rollback transaction', 'ZI'],
    ['prepare transaction $$x$$', 'ZI'],
    ['rollback to savepoint s1', 'ZE'],
    ['ROLLBACK TO s1', 'ZE'],
    ['rollback work to s1', 'ZE'],
    ['rollback transaction to savepoint s1', 'ZE'],
    ['release s1', 'ZE'],
    ['prepare p as select 1', 'ZE'],
    ['select 1', 'ZE'],
  ])('Front takes “%s” as what it is to a lost transaction, %s', async (sql, status) => {
    for (const flight of [client.query(sql), Buffer.concat([client.extended(sql), client.sync])]) {
      const { driver, peer } = await stageTransaction()
      driver.write(client.query('insert'))
      await peer.expect('Q')
      peer.finish()
      await driver.until('ZE')
      driver.write(flight)
      expect(await driver.until('Z')).toEqual(['error ERR_CONNECTION_LOST', status])
    }
  })

  it('Front is freed once, however often its upstream is closed', async () => {
    const { wire, driver } = await stageTransaction()
    const closed = (): NullpoolError => new NullpoolError('ERR_SCOPE_CLOSED', 'over')
    void wire.upstream.close(closed)
    void wire.upstream.close(closed)
    await vi.advanceTimersByTimeAsync(20)
    await rest()
    expect(driver.unread).toEqual(['ZI'])
    await vi.advanceTimersByTimeAsync(QUERY_LIMIT)
    expect(driver.unread).toEqual(['ZI'])
  })
})
