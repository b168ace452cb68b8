import { describe, expect, it } from 'vitest'
import { planConnection } from '../../src/connection-plan.ts'
import { type DatabaseOptions, resolveOptions } from '../../src/options.ts'
import type { Runtime } from '../../src/runtime.ts'

const nowhere = {
  name: 'test',
  bindings: () => undefined,
  variable: () => undefined,
} as unknown as Runtime

function plan(url: string, options: DatabaseOptions = {}) {
  return planConnection(resolveOptions({ url, ...options }), undefined, nowhere)
}

const HYPERDRIVE = 'postgres://u:secret@0123.hyperdrive.local:5432/app'
const REMOTE = 'postgres://u:secret@db.example:6543/app'
const LOCAL = 'postgres://u:secret@127.0.0.1:6543/app'

describe('planConnection refuses what a pooler would count as a failed login', () => {
  it.each([
    ['a placeholder', 'postgres.abc:[YOUR-PASSWORD]'],
    ['a user without its reference', 'postgres:secret'],
  ])('planConnection refuses %s', (_what, login) => {
    const text = `postgres://${login}@aws-0-eu-west-1.pooler.supabase.com:6543/postgres`
    expect(() => plan(text)).toThrow(expect.objectContaining({ code: 'ERR_URL_INVALID' }))
  })
})

describe('planConnection chooses TLS', () => {
  it.each<[string, string, DatabaseOptions['tls'], object | undefined]>([
    ['verifies a remote server', REMOTE, undefined, {}],
    ['verifies when told to, also on the same machine', LOCAL, 'verify', {}],
    ['needs none on the same machine', LOCAL, undefined, undefined],
    ['passes a root certificate on', REMOTE, { ca: 'PEM' }, { ca: 'PEM' }],
    ['sends in clear when told to by name', REMOTE, 'disable', undefined],
    ['obeys sslmode=disable', `${REMOTE}?sslmode=disable`, undefined, undefined],
    ['verifies for sslmode=require', `${LOCAL}?sslmode=require`, undefined, {}],
    ['does not weaken for sslmode=prefer', `${REMOTE}?sslmode=prefer`, undefined, {}],
    ['has none behind Hyperdrive', HYPERDRIVE, undefined, undefined],
    ['has none behind Hyperdrive when told so', HYPERDRIVE, 'disable', undefined],
  ])('planConnection %s', (_what, url, tls, expected) => {
    expect(plan(url, tls ? { tls } : {}).route.tls).toEqual(expected)
  })

  it.each<[string, DatabaseOptions['tls'], boolean]>([
    [REMOTE, 'disable', true],
    [`${REMOTE}?sslmode=disable`, undefined, true],
    [`${REMOTE}?sslmode=disable`, 'verify', false],
    [LOCAL, undefined, false],
    [REMOTE, undefined, false],
  ])('planConnection: %s with tls %j allows clear by name: %j', (url, tls, allowed) => {
    expect(plan(url, tls ? { tls } : {}).route.allowsClear).toBe(allowed)
  })

  it.each([['verify' as const], [{ ca: 'PEM' }], [{ serverName: 'db.example' }]])(
    'planConnection refuses tls %j behind Hyperdrive, which has none to verify',
    (tls) => {
      expect(() => plan(HYPERDRIVE, { tls })).toThrow(
        expect.objectContaining({
          code: 'ERR_OPTIONS',
          hint: expect.stringContaining('Leave tls'),
        }),
      )
    },
  )
})

describe('planConnection chooses the profile', () => {
  const REF = 'abcdefghijklmnopqrst'
  const SHARED = `postgres://postgres.${REF}:secret@aws-0-eu-central-1.pooler.supabase.com:6543/postgres`
  const NEON = 'postgres://u:secret@ep-cool-name-123456-pooler.eu-central-1.aws.neon.tech/app'

  it.each<[string, string]>([
    [SHARED, 'universal'],
    [`postgres://postgres:secret@db.${REF}.supabase.co:6543/postgres`, 'pipelined'],
    [`postgres://postgres:secret@db.${REF}.supabase.co:5432/postgres`, 'pipelined'],
    [NEON, 'direct'],
    [NEON.replace('-pooler', ''), 'direct'],
    [HYPERDRIVE, 'hyperdrive'],
    [LOCAL, 'universal'],
    [REMOTE, 'universal'],
    [`${REMOTE}?sslnegotiation=direct`, 'direct'],
    [`${SHARED}?sslnegotiation=postgres`, 'universal'],
  ])('planConnection takes for %s the profile %s', (url, name) => {
    expect(plan(url).route.profile.name).toBe(name)
  })

  it.each<[DatabaseOptions['pooler'], string, string]>([
    ['supavisor', LOCAL, 'universal'],
    ['supavisor', `${REMOTE}?sslnegotiation=direct`, 'universal'],
    ['pgbouncer', REMOTE, 'pipelined'],
    ['pgbouncer', `${REMOTE}?sslnegotiation=direct`, 'direct'],
    ['postgres', SHARED, 'pipelined'],
    ['neon', REMOTE, 'direct'],
    ['hyperdrive', LOCAL, 'hyperdrive'],
  ])('planConnection obeys pooler %s at %s', (pooler, url, name) => {
    expect(plan(url, pooler ? { pooler } : {}).route.profile.name).toBe(name)
  })
})

describe('planConnection with a Hyperdrive binding', () => {
  const bound = (bindings: Record<string, string>, options: DatabaseOptions = {}) => {
    const env = Object.fromEntries(
      Object.entries(bindings).map(([name, connectionString]) => [name, { connectionString }]),
    )
    return planConnection(resolveOptions(options), env, nowhere)
  }
  const DIRECT = 'postgres://postgres:secret@db.abcdefghijklmnopqrst.supabase.co:5432/postgres'

  it.each([HYPERDRIVE, LOCAL, DIRECT, 'postgres://u:secret@ep-a.eu.aws.neon.tech/app'])(
    'planConnection gives no advice about poolers, and refuses what production refuses: %s',
    (text) => {
      const { route, guard, hyperdrive, warnings } = bound({ DB: text })
      expect(warnings).toEqual([])
      expect([route.profile.name, guard, hyperdrive]).toEqual(['hyperdrive', 'throw', true])
    },
  )

  it('planConnection gives up TLS for the socket of the binding alone', () => {
    expect(bound({ DB: HYPERDRIVE }).route.tls).toBeUndefined()
    expect(bound({ DB: DIRECT }).route.tls).toEqual({})
    expect(bound({ DB: LOCAL }).route.tls).toBeUndefined()
  })

  it('planConnection knows the cache whatever the option pooler says', () => {
    expect(bound({ DB: HYPERDRIVE }, { pooler: 'postgres' }).hyperdrive).toBe(true)
    expect(plan(LOCAL, { pooler: 'hyperdrive' }).hyperdrive).toBe(true)
    expect(plan(LOCAL).hyperdrive).toBe(false)
  })

  it('planConnection warns where it had to choose one of several', () => {
    const [warning] = bound({ B: HYPERDRIVE, A: HYPERDRIVE }).warnings
    expect(warning?.code).toBe('hyperdrive-ambiguous')
    expect(warning?.message).toMatch(/\(A, B\): A was taken/)
    expect(warning?.fix).toContain('env.A.connectionString')
    expect(bound({ A: LOCAL, HYPERDRIVE }).warnings).toEqual([])
  })
})
