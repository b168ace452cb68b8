import { inspect } from 'node:util'
import { describe, expect, it, vi } from 'vitest'
import { NullpoolError } from '../../src/errors.ts'
import { type DatabaseOptions, type NullpoolEvent, resolveOptions } from '../../src/options.ts'

const SECRET = 'postgres://alice:s3cret@db.test/shop'

/** What is thrown for options that the types would not let through. */
function refusal(options: unknown): NullpoolError {
  try {
    resolveOptions(options as DatabaseOptions)
  } catch (error) {
    if (NullpoolError.is(error)) return error
    throw error
  }
  throw new Error(`Nothing was thrown for ${inspect(options)}.`)
}

const WRONG: readonly [keyof DatabaseOptions, readonly unknown[]][] = [
  ['url', [null, 7, true, {}, [SECRET], Symbol('x'), new URL('postgres://x')]],
  ['pooler', [null, '', 'Supavisor', 'pgpool', 7, ['neon'], {}]],
  ['tls', [null, '', 'require', 'VERIFY', true, 7, { ca: 7 }, { rejectUnauthorized: false }, []]],
  ['tls', [{ ca: null }, { serverName: 7 }, { ca: 'PEM', servername: 'x' }, () => 'verify']],
  ['connect', [null, '', 'EAGER', true, 7, {}]],
  ...(['connectTimeoutMs', 'queryTimeoutMs', 'closeTimeoutMs'] as const).map(
    (name) =>
      [
        name,
        [null, 0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '100', 2 ** 31, 10n, {}],
      ] as const satisfies [typeof name, readonly unknown[]],
  ),
  ['roles', [null, '', 'anon', {}, [], [''], ['none'], [7], ['anon', null], ['x'.repeat(64)]]],
  ['anonymousRole', [null, '', 'none', 7, ['anon'], {}, 'x'.repeat(64)]],
  ['transport', [null, 'tcp', {}, { connect: true }, () => undefined]],
  ['driver', [null, 'postgres', {}, { createClient: 'x' }, () => undefined]],
  ['onEvent', [null, 'x', {}, true]],
]

describe('resolveOptions refuses', () => {
  it.each(WRONG)(
    'resolveOptions refuses what the option %s does not take, and names it',
    (name, values) => {
      for (const value of values) {
        const error = refusal({ [name]: value })
        expect(error.code, inspect(value)).toBe('ERR_OPTIONS')
        expect(error.message).toMatch(new RegExp(`^The option ${name} takes .+\\.$`))
        expect(error.retryable).toBe(false)
      }
    },
  )

  it('resolveOptions lists the values that a choice takes', () => {
    const error = refusal({ pooler: 'pgpool' })
    for (const pooler of ['auto', 'supavisor', 'pgbouncer', 'postgres', 'neon', 'hyperdrive']) {
      expect(error.message).toContain(`'${pooler}'`)
    }
  })

  it.each(['ssl', 'max', 'connectTimeout', 'URL', '', '0'])(
    'resolveOptions refuses the unknown option “%s” and lists those there are',
    (name) => {
      const error = refusal({ [name]: undefined })
      expect(error.code).toBe('ERR_OPTIONS')
      expect(error.message).toContain(`There is no option ${name}.`)
      expect(error.hint).toBe(
        'The options are url, pooler, tls, connect, connectTimeoutMs, connectRetries, queryTimeoutMs, closeTimeoutMs, roles, anonymousRole, hyperdriveCaching, guard, transport, driver, onEvent.',
      )
    },
  )

  it.each(['constructor', 'toString', 'hasOwnProperty'])(
    'resolveOptions refuses the unknown option “%s”, which every object inherits',
    (name) => {
      expect(refusal({ [name]: 'x' }).message).toContain(`There is no option ${name}.`)
      expect(refusal({ [name]: undefined }).code).toBe('ERR_OPTIONS')
    },
  )

  it.each([
    ['null', null],
    ['a connection string', SECRET],
    ['an array', []],
    ['a number', 7],
  ])('resolveOptions refuses %s in the place of an object of options', (_what, options) => {
    const error = refusal(options)
    expect(error.code).toBe('ERR_OPTIONS')
    expect(error.message).toContain('object')
  })

  it('resolveOptions shows no value, which could be a secret', () => {
    const values = [{ url: [SECRET] }, { tls: SECRET }, { connect: SECRET }, { onEvent: SECRET }]
    for (const options of values) {
      const error = refusal(options)
      expect(`${inspect(error, { depth: null })} ${JSON.stringify(error)}`).not.toContain('s3cret')
    }
  })
})

describe('resolveOptions', () => {
  it('resolveOptions fills in the defaults', () => {
    const settings = resolveOptions({})
    expect(settings).toMatchObject({
      url: undefined,
      pooler: 'auto',
      tls: undefined,
      eager: false,
      connectTimeoutMs: 10_000,
      connectRetries: 1,
      queryTimeoutMs: 30_000,
      closeTimeoutMs: 1_000,
      roles: ['anon', 'authenticated'],
      anonymousRole: 'anon',
    })
    expect(settings.transport.name).toBe('node:net')
    expect(settings.driver.createClient).toBeTypeOf('function')
    expect(() => settings.emit({ type: 'close' })).not.toThrow()
  })

  it('resolveOptions takes undefined for what is not said', () => {
    const names = WRONG.map(([name]) => [name, undefined])
    const { emit: _, driver: __, ...settings } = resolveOptions(Object.fromEntries(names))
    expect(settings).toEqual(
      expect.objectContaining({ pooler: 'auto', eager: false, connectTimeoutMs: 10_000 }),
    )
  })

  it('resolveOptions keeps everything that is said', () => {
    const transport = { name: 'mine', connect: () => Promise.reject(new Error('x')) }
    const driver = { createClient: () => Promise.reject(new Error('x')) as never }
    const url = (): string => SECRET
    const settings = resolveOptions({
      ...{ url, pooler: 'neon', tls: { ca: 'PEM', serverName: 'db.example' }, connect: 'eager' },
      ...{ connectTimeoutMs: 1, queryTimeoutMs: 2, closeTimeoutMs: 2_147_483_647 },
      ...{ transport, driver },
    })
    expect(settings).toMatchObject({
      ...{ url, pooler: 'neon', tls: { ca: 'PEM', serverName: 'db.example' }, eager: true },
      ...{ connectTimeoutMs: 1, queryTimeoutMs: 2, closeTimeoutMs: 2_147_483_647 },
    })
    expect(settings.transport).toBe(transport)
    expect(settings.driver).toBe(driver)
  })

  it.each([
    'verify',
    'disable',
    {},
    { ca: 'PEM' },
    { serverName: 'x' },
    { ca: undefined },
  ] as const)('resolveOptions takes %j for tls', (tls) => {
    expect(resolveOptions({ tls } as DatabaseOptions).tls).toBe(tls)
  })

  it.each<DatabaseOptions>([
    { roles: ['authenticated', 'service'] },
    { roles: ['anon'], anonymousRole: 'web_anon' },
    { anonymousRole: 'web_anon' },
  ])('resolveOptions refuses roles of which none is for nobody: %j', (options) => {
    const error = refusal(options)
    expect(error).toMatchObject({ code: 'ERR_OPTIONS' })
    expect(error.message).toContain('does not list')
    expect(error.hint).toContain('anonymousRole')
  })

  it.each<[DatabaseOptions, string]>([
    [{}, 'anon'],
    [{ roles: ['authenticated', 'anon'] }, 'anon'],
    [{ roles: ['web_user', 'web_anon'], anonymousRole: 'web_anon' }, 'web_anon'],
    [{ anonymousRole: 'authenticated' }, 'authenticated'],
  ])('resolveOptions finds in %j the role for nobody', (options, role) => {
    expect(resolveOptions(options).anonymousRole).toBe(role)
  })

  it('resolveOptions takes a transport and a driver that are instances of classes', () => {
    class Mine {
      readonly name = 'mine'
      connect(): Promise<never> {
        return Promise.reject(new Error('x'))
      }
      createClient(): never {
        throw new Error('x')
      }
    }
    const mine = new Mine()
    expect(resolveOptions({ transport: mine, driver: mine }).transport).toBe(mine)
  })
})

describe('onEvent', () => {
  const EVENT: NullpoolEvent = { type: 'query', queries: 1, durationMs: 2, firstRowMs: 1 }

  it('onEvent is told what happens', () => {
    const onEvent = vi.fn()
    resolveOptions({ onEvent }).emit(EVENT)
    expect(onEvent.mock.calls).toEqual([[EVENT]])
  })

  it('onEvent that throws breaks nothing', () => {
    const onEvent = (): never => {
      throw new Error('broken listener')
    }
    expect(() => resolveOptions({ onEvent }).emit(EVENT)).not.toThrow()
  })

  it('onEvent that rejects breaks nothing', async () => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    try {
      const onEvent = (): Promise<void> => Promise.reject(new Error('broken listener'))
      resolveOptions({ onEvent }).emit(EVENT)
      await new Promise((resolve) => setImmediate(resolve))
      expect(unhandled).not.toHaveBeenCalled()
    } finally {
      process.off('unhandledRejection', unhandled)
    }
  })
})

describe('warnings that nobody listens to', () => {
  const warning = (code: string, message = 'There is this.'): NullpoolEvent => ({
    ...{ type: 'warning', code, message },
  })

  it('are written once for each code, whoever asks', () => {
    const warn = vi.spyOn(console, 'warn').mockReturnValue()
    for (const code of ['session-port', 'neon-direct', 'session-port']) {
      resolveOptions({}).emit(warning(code))
    }
    expect(warn.mock.calls).toEqual([
      ['nullpool: There is this. (session-port)'],
      ['nullpool: There is this. (neon-direct)'],
    ])
    warn.mockRestore()
  })

  it('are not written where there is a listener, or where the server said them', () => {
    const warn = vi.spyOn(console, 'warn').mockReturnValue()
    resolveOptions({ onEvent: () => undefined }).emit(warning('direct-host'))
    resolveOptions({}).emit(warning('42P07', 'NOTICE: relation "books" already exists, skipping'))
    resolveOptions({}).emit({ type: 'close', error: 'ERR_SERVER' })
    expect(warn).not.toHaveBeenCalled()
    resolveOptions({}).emit(warning('direct-host'))
    expect(warn).toHaveBeenCalledTimes(1)
    warn.mockRestore()
  })
})
