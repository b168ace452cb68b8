-- Paste this into the SQL editor of a Supabase project.
create table notes (
  id bigint generated always as identity primary key,
  owner uuid not null default auth.uid(),
  body text not null check (length(body) between 1 and 2000),
  shared boolean not null default false
);
create index on notes (owner);

alter table notes enable row level security;
grant select on notes to anon;
grant select, insert, update, delete on notes to authenticated;

create policy "everybody reads what is shared" on notes for select using (shared);
create policy "owners read theirs" on notes for select to authenticated
  using (owner = (select auth.uid()));
create policy "owners write theirs" on notes for all to authenticated
  using (owner = (select auth.uid())) with check (owner = (select auth.uid()));
