import type { Sql } from 'postgres'

/**
 * Roles, `auth.uid()` and its like, and a table with policies, as Supabase has them. Roles belong to the whole server,
 * where several test files make them at once.
 */
export async function makeSupabaseSchema(sql: Sql): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(4711)`
    for (const role of ['anon', 'authenticated', 'service_role']) {
      const [known] = await tx`select from pg_roles where rolname = ${role}`
      if (!known) await tx`create role ${tx(role)} nologin noinherit`
    }
  })
  await sql.unsafe(`
    create schema auth;
    grant usage on schema auth to anon, authenticated;
    create function auth.jwt() returns jsonb language sql stable as $$
      select coalesce(
        nullif(current_setting('request.jwt.claim', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')
      )::jsonb $$;
    create function auth.uid() returns uuid language sql stable as $$
      select coalesce(
        nullif(current_setting('request.jwt.claim.sub', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
      )::uuid $$;
    create function auth.role() returns text language sql stable as $$
      select coalesce(
        nullif(current_setting('request.jwt.claim.role', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'
      ) $$;
    create function auth.email() returns text language sql stable as $$
      select coalesce(
        nullif(current_setting('request.jwt.claim.email', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email'
      ) $$;

    create table notes (
      id int generated always as identity primary key,
      owner uuid not null default auth.uid(),
      body text not null,
      secret boolean not null default true
    );
    alter table notes enable row level security;
    grant select on notes to anon;
    grant select, insert, update, delete on notes to authenticated;
    create policy "everybody sees what is public" on notes for select using (not secret);
    create policy "owners see theirs" on notes for select to authenticated using (owner = auth.uid());
    create policy "owners write theirs" on notes for all to authenticated
      using (owner = auth.uid()) with check (owner = auth.uid())`)
}

/** A user's identifier. */
export function userId(n: number): string {
  return `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`
}

/** What Supabase puts into a token, as far as policies read it. */
export function claimsOf(n: number): Record<string, unknown> {
  return {
    aud: 'authenticated',
    exp: 4_102_444_800,
    sub: userId(n),
    email: `user${n}@example.com`,
    role: 'authenticated',
    aal: 'aal1',
    amr: [{ method: 'password', timestamp: 1_700_000_000 }],
    app_metadata: { provider: 'email', providers: ['email'] },
    user_metadata: { name: `O'Hara "${n}" \\ ünïcödé 🙂` },
    session_id: userId(n + 1_000),
    is_anonymous: false,
  }
}
