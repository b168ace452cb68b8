create table authors (
  id int generated always as identity primary key,
  name text not null unique
);
create table books (
  id int generated always as identity primary key,
  author_id int not null references authors (id),
  title text not null,
  added_at timestamptz not null default now()
);

insert into authors (name) values ('Ursula K. Le Guin'), ('Stanisław Lem');
insert into books (author_id, title) values (1, 'The Dispossessed'), (1, 'The Lathe of Heaven'), (2, 'Solaris');
