/** Whom Supabase's services log in as; it may become each of the three roles, and is nothing itself. */
export const AUTHENTICATOR = 'authenticator'

/**
 * What policies of a Supabase project refer to, for any Postgres: roles, `auth.uid()`, `auth.jwt()`,
 * `auth.role()`, `auth.email()` and `auth.users`. For the superuser; can be run again.
 *
 * Tables are granted to nobody, as on Supabase since 30 October 2026: migrations say who may what.
 *
 * @see https://supabase.com/docs/guides/database/postgres/roles
 */
export function supabaseSchema(application: string): string {
  return `
do $roles$
begin
  create role anon nologin noinherit;
  create role authenticated nologin noinherit;
  create role service_role nologin noinherit bypassrls;
  create role ${AUTHENTICATOR} login noinherit;
exception when duplicate_object then null;
end
$roles$;
grant anon, authenticated, service_role to ${AUTHENTICATOR}, ${application};
alter role ${application} bypassrls;

create schema if not exists extensions;
create schema if not exists auth;
grant usage, create on schema extensions to ${application};
grant usage on schema extensions, public to anon, authenticated, service_role;
grant usage on schema auth to anon, authenticated, service_role, ${application};
alter database ${application} set search_path = "$user", public, extensions;

create or replace function auth.jwt() returns jsonb language sql stable as $body$
  select coalesce(
    nullif(current_setting('request.jwt.claim', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')
  )::jsonb
$body$;
create or replace function auth.uid() returns uuid language sql stable as $body$
  select coalesce(
    nullif(current_setting('request.jwt.claim.sub', true), ''),
    auth.jwt() ->> 'sub'
  )::uuid
$body$;
create or replace function auth.role() returns text language sql stable as $body$
  select coalesce(
    nullif(current_setting('request.jwt.claim.role', true), ''),
    auth.jwt() ->> 'role'
  )
$body$;
create or replace function auth.email() returns text language sql stable as $body$
  select coalesce(
    nullif(current_setting('request.jwt.claim.email', true), ''),
    auth.jwt() ->> 'email'
  )
$body$;

create table if not exists auth.users (
  id uuid primary key default gen_random_uuid(),
  email text unique,
  raw_app_meta_data jsonb,
  raw_user_meta_data jsonb,
  created_at timestamptz default now()
);
grant select, insert, update, delete, references, trigger on auth.users to ${application};
`
}
