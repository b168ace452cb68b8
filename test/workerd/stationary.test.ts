import { createPool } from 'nullpool/stationary'
import { expect, it } from 'vitest'

it('a pool is refused in workerd when it is made, with what to use instead', () => {
  expect(() => createPool()).toThrow(
    expect.objectContaining({
      code: 'ERR_RUNTIME_UNSUPPORTED',
      hint: expect.stringContaining('createDatabase()'),
    }),
  )
})
