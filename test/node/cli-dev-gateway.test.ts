import { readFile } from 'node:fs/promises'
import { neon, neonConfig } from '@neondatabase/serverless'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findFreePort } from '../../src/cli/free-port.ts'
import { DevBed } from '../support/dev-program.ts'

const { exports } = JSON.parse(await readFile('package.json', 'utf8'))

describe('nullpool dev --gateway', () => {
  let bed: DevBed
  beforeAll(async () => {
    bed = await DevBed.make()
  })
  afterAll(() => bed.remove())

  if (!('./gateway' in exports)) {
    it('says that this version has none, and leaves nothing behind', async () => {
      await using program = bed.dev(['--gateway', `${await findFreePort()}`])
      expect(await program.exitCode).toBe(2)
      expect(program.errors.at(-1)).toBe(
        'nullpool: This version of nullpool has no gateway. Leave --gateway out.',
      )
      await bed.assertNothingLeft()
    })
    return
  }

  it('lets Neon’s driver in with the token, to this database alone', async () => {
    const port = await findFreePort()
    await bed.whileUp(['--gateway', `${port}`], async ({ url, gateway }) => {
      expect(gateway?.url).toBe(`http://127.0.0.1:${port}`)
      neonConfig.fetchEndpoint = `${gateway?.url}/sql`
      const ask = (to: string, authToken = '') => neon(to, { authToken })`select current_user`
      expect(await ask(url, gateway?.token)).toEqual([{ current_user: 'app' }])
      await expect(ask(url, 'x'.repeat(32))).rejects.toThrow()
      const other = url.replace(`:${bed.port}/`, ':1/')
      await expect(ask(other, gateway?.token)).rejects.toThrow(/ERR_GATEWAY_TARGET|403/)
    })
  })
})
