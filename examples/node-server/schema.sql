create table books (
  id int generated always as identity primary key,
  title text not null,
  author text not null
);

create table removals (
  title text not null,
  at timestamptz not null default now()
);

insert into books (title, author) values
  ('Pippi Longstocking', 'Astrid Lindgren'),
  ('Momo', 'Michael Ende'),
  ('Moominland Midwinter', 'Tove Jansson'),
  ('The Hobbit', 'J. R. R. Tolkien');
