import { inspect } from 'node:util'
import { describe, expect, it, vi } from 'vitest'
import { findConnectionString } from '../../src/connection-source.ts'
import { NullpoolError } from '../../src/errors.ts'
import type { DatabaseOptions } from '../../src/options.ts'
import type { Runtime } from '../../src/runtime.ts'
import { runtime as node } from '../../src/runtimes/node.ts'

/** A runtime with these bindings and variables. */
function runtimeOf(bindings: unknown, variables: Record<string, string> = {}): Runtime {
  return { ...node, bindings: () => bindings, variable: (name) => variables[name] }
}

const NOTHING = runtimeOf(undefined)
const hyperdrive = (text: string): object => ({ connectionString: text, host: 'x', port: 5432 })

/** What is thrown when nothing is found. */
function refusal(url: DatabaseOptions['url'], env: unknown, runtime = NOTHING): NullpoolError {
  try {
    findConnectionString(url, env, runtime)
  } catch (error) {
    if (NullpoolError.is(error)) return error
    throw error
  }
  throw new Error('Something was found.')
}

describe('findConnectionString with the option', () => {
  it('findConnectionString takes the option before everything else', () => {
    const env = { HYPERDRIVE: hyperdrive('hyperdrive'), DATABASE_URL: 'variable' }
    expect(findConnectionString('option', env, NOTHING)).toEqual({ text: 'option', name: 'url' })
  })

  it('findConnectionString calls a function with the bindings of the request', () => {
    const url = vi.fn((env: unknown) => (env as { MINE: string }).MINE)
    const env = { MINE: 'mine' }
    expect(findConnectionString(url, env, NOTHING)).toEqual({ text: 'mine', name: 'url' })
    expect(url.mock.calls).toEqual([[env]])
  })

  it.each([
    ['an empty option', ''],
    ['a function that returns nothing', () => undefined],
    ['a function that returns an empty text', () => ''],
    ['a function that returns a binding', () => hyperdrive('x') as unknown as string],
    ['a function that returns a promise', () => Promise.resolve('x') as unknown as string],
  ])('findConnectionString refuses %s and looks nowhere else', (_what, url) => {
    const error = refusal(url, { DATABASE_URL: 'variable' })
    expect(error.code).toBe('ERR_URL_MISSING')
    expect(error.message).toContain('option url')
  })

  it('findConnectionString lets the error of a function through', () => {
    const broken = new Error('no such binding')
    const url = (): never => {
      throw broken
    }
    expect(() => findConnectionString(url, {}, NOTHING)).toThrow(broken)
  })
})

describe('findConnectionString without the option', () => {
  const env = {
    DATABASE_URL: 'DATABASE_URL of the bindings',
    POSTGRES_URL: 'POSTGRES_URL of the bindings',
    SUPABASE_DB_URL: 'SUPABASE_DB_URL of the bindings',
  }
  const variables = {
    DATABASE_URL: 'DATABASE_URL of the process',
    POSTGRES_URL: 'POSTGRES_URL of the process',
    SUPABASE_DB_URL: 'SUPABASE_DB_URL of the process',
  }

  it('findConnectionString takes a Hyperdrive binding before every variable', () => {
    const bindings = { ...env, DB: hyperdrive('hyperdrive') }
    expect(findConnectionString(undefined, bindings, runtimeOf({}, variables))).toEqual({
      text: 'hyperdrive',
      name: 'DB',
      hyperdrives: ['DB'],
    })
  })

  it('findConnectionString takes the binding that is called HYPERDRIVE before others', () => {
    const bindings = {
      A: hyperdrive('a'),
      HYPERDRIVE: hyperdrive('the usual one'),
      B: hyperdrive('b'),
    }
    expect(findConnectionString(undefined, bindings, NOTHING).name).toBe('HYPERDRIVE')
    expect(findConnectionString(undefined, { B: bindings.B, A: bindings.A }, NOTHING)).toEqual({
      text: 'a',
      name: 'A',
      hyperdrives: ['A', 'B'],
    })
  })

  it('findConnectionString passes a Hyperdrive in front of MySQL by', () => {
    const mysql = hyperdrive('mysql://u:p@0123.hyperdrive.local:3306/app')
    expect(findConnectionString(undefined, { A: mysql, B: hyperdrive('b') }, NOTHING).name).toBe(
      'B',
    )
    expect(refusal(undefined, { HYPERDRIVE: mysql }).code).toBe('ERR_URL_MISSING')
  })

  it('findConnectionString takes the bindings of the request before those of the platform', () => {
    const platform = runtimeOf({ HYPERDRIVE: hyperdrive('platform'), ...variables })
    const found = findConnectionString(undefined, { DB: hyperdrive('request') }, platform)
    expect(found).toMatchObject({ text: 'request', name: 'DB' })
    expect(findConnectionString(undefined, {}, platform).text).toBe('platform')
    expect(findConnectionString(undefined, undefined, platform).text).toBe('platform')
  })

  it('findConnectionString takes variables by name first and by place second', () => {
    const platform = runtimeOf({ POSTGRES_URL: 'POSTGRES_URL of the platform' }, variables)
    const order: string[] = []
    const left: Record<string, string> = { ...env }
    const process: Record<string, string> = { ...variables }
    for (const name of ['DATABASE_URL', 'POSTGRES_URL', 'SUPABASE_DB_URL'] as const) {
      order.push(
        findConnectionString(undefined, left, { ...platform, variable: (at) => process[at] }).text,
      )
      delete left[name]
      order.push(
        findConnectionString(undefined, left, { ...platform, variable: (at) => process[at] }).text,
      )
      delete process[name]
    }
    expect(order).toEqual([
      'DATABASE_URL of the bindings',
      'DATABASE_URL of the process',
      'POSTGRES_URL of the bindings',
      'POSTGRES_URL of the platform',
      // The one of the platform stays.
      'POSTGRES_URL of the platform',
      'POSTGRES_URL of the platform',
    ])
  })

  it('findConnectionString looks into the process last', () => {
    for (const name of ['DATABASE_URL', 'POSTGRES_URL', 'SUPABASE_DB_URL']) {
      const found = findConnectionString(undefined, {}, runtimeOf({}, { [name]: 'found' }))
      expect(found).toEqual({ text: 'found', name })
    }
  })

  it('findConnectionString passes over empty texts, wherever they are', () => {
    const bindings = { HYPERDRIVE: hyperdrive(''), DATABASE_URL: '', POSTGRES_URL: '' }
    const found = findConnectionString(
      undefined,
      bindings,
      runtimeOf({}, { POSTGRES_URL: 'found' }),
    )
    expect(found).toEqual({ text: 'found', name: 'POSTGRES_URL' })
  })

  it('findConnectionString passes over what is no text', () => {
    const bindings = {
      HYPERDRIVE: { connectionString: 7 },
      KV: null,
      DATABASE_URL: { nested: 'x' },
      POSTGRES_URL: 7,
      SUPABASE_DB_URL: 'found',
    }
    expect(findConnectionString(undefined, bindings, NOTHING).name).toBe('SUPABASE_DB_URL')
  })

  it.each([undefined, null, 'text', 7, []])(
    'findConnectionString makes do with %j in the place of bindings',
    (bindings) => {
      const found = findConnectionString(undefined, bindings, runtimeOf(bindings, variables))
      expect(found.name).toBe('DATABASE_URL')
    },
  )

  it('findConnectionString lists everything that it looked for, and no value', () => {
    const secret = { PASSWORD: 's3cret', DATABASE_URL: '' }
    const error = refusal(undefined, secret)
    expect(error).toMatchObject({ code: 'ERR_URL_MISSING', retryable: false })
    for (const name of [
      'Hyperdrive',
      'DATABASE_URL',
      'POSTGRES_URL',
      'SUPABASE_DB_URL',
      '6543',
      'url',
    ]) {
      expect(error.message).toContain(name)
    }
    expect(inspect(error, { depth: null })).not.toContain('s3cret')
  })
})
