import { describe, expect, it } from 'vitest'
import { findSessionState } from '../../../src/guard/session-state.ts'

describe('changedIdentity', () => {
  it.each([
    'set role postgres',
    'set local role postgres',
    'SET SESSION ROLE postgres',
    'set session authorization postgres',
    'set local session authorization postgres',
    'set local "role" = postgres',
    'set local session_authorization to postgres',
    'set local Request.JWT . claims = 1',
    'set local "request.jwt.claims" = 1',
    'reset role',
    'reset "role"',
    'reset all',
    'reset session authorization',
    'reset session_authorization',
    'reset request.jwt.claims',
    'discard all',
    "select set_config('role', $1, true)",
    "select set_config(('role'), $1, true)",
    'select set_config($$role$$, $1, true)',
    "select pg_catalog.set_config('role'::text, $1, true)",
    "select set_config(is_local => true, setting_name => 'role', new_value => $1)",
    "select 1; select SET_CONFIG( 'Request.JWT.claims' , '{}', true)",
    "select E'\\'', set_config(E'role', 'postgres', true)",
    "select set_config(lower('x'), $1, true), set_config('role', $1, true)",
  ])('changedIdentity sees that %j changes for whom it runs', (text) => {
    expect(findSessionState(text).identity).toBe('certain')
  })

  it.each([
    'select set_config($1, $2, true)',
    "select set_config('ro' || 'le', $1, true)",
    "select set_config(E'\\x72ole', $1, true)",
    "select set_config('roles'::varchar(4), $1, true)",
    'select set_config(name, value, true) from settings',
    `select set_config(${'('.repeat(150)}'a.b'${')'.repeat(150)}, $1, true)`,
    'select set_config(setting_name => $1, new_value => $2, is_local => true)',
  ])('changedIdentity sees that %j may', (text) => {
    expect(findSessionState(text).identity).toBe('possible')
  })

  it.each([
    'set local statement_timeout = 5',
    'set local a.role = 5',
    'set local.role = 5',
    'reset local . role',
    'reset session.authorization',
    "select set_config('app.role', 'x', true)",
    "select set_config('app.tenant', $1, true)",
    "select 'set role postgres'",
    "explain select set_config('role', 'x', true)",
    'grant execute on function set_config(text, text, boolean) to a',
    'select other.set_config($1, $2)',
    'alter role a set x = 1',
    'reset statement_timeout',
    'update t set role = 1',
  ])('changedIdentity sees that %j does not', (text) => {
    expect(findSessionState(text).identity).toBeUndefined()
  })
})
