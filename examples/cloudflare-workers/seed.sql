-- The books of the example. Can be run again: it adds what is missing and changes nothing else.
--   psql "$DATABASE_URL" -f seed.sql

create table if not exists books (
  id bigint generated always as identity primary key,
  title text not null,
  author text not null,
  year int,
  isbn text unique not null,
  tags text[] not null default '{}',
  added_at timestamptz not null default now()
);

insert into books (title, author, year, isbn, tags) values
  ('Pride and Prejudice', 'Jane Austen', 1813, '9780141439518', '{romance,england}'),
  ('Moby-Dick', 'Herman Melville', 1851, '9780142437247', '{adventure,sea}'),
  ('Frankenstein', 'Mary Shelley', 1818, '9780141439471', '{gothic,"science fiction"}'),
  ('Dracula', 'Bram Stoker', 1897, '9780141439846', '{gothic,horror}'),
  ('Jane Eyre', 'Charlotte Brontë', 1847, '9780141441146', '{romance,gothic}'),
  ('Wuthering Heights', 'Emily Brontë', 1847, '9780141439556', '{gothic,tragedy}'),
  ('Great Expectations', 'Charles Dickens', 1861, '9780141439563', '{"coming of age",england}'),
  ('A Tale of Two Cities', 'Charles Dickens', 1859, '9780141439600', '{history,revolution}'),
  ('Crime and Punishment', 'Fyodor Dostoevsky', 1866, '9780140449136', '{psychology,russia}'),
  ('War and Peace', 'Leo Tolstoy', 1869, '9780140447934', '{history,russia}'),
  ('Anna Karenina', 'Leo Tolstoy', 1878, '9780143035008', '{tragedy,russia}'),
  ('Don Quixote', 'Miguel de Cervantes', 1605, '9780142437230', '{satire,adventure}'),
  ('The Count of Monte Cristo', 'Alexandre Dumas', 1846, '9780140449266', '{adventure,revenge}'),
  ('Les Misérables', 'Victor Hugo', 1862, '9780140444308', '{history,france}'),
  ('Middlemarch', 'George Eliot', 1871, '9780141439549', '{society,england}'),
  ('Alice''s Adventures in Wonderland', 'Lewis Carroll', 1865, '9780141439761', '{fantasy,children}'),
  ('The Picture of Dorian Gray', 'Oscar Wilde', 1890, '9780141439570', '{gothic,satire}'),
  ('Adventures of Huckleberry Finn', 'Mark Twain', 1884, '9780142437179', '{adventure,river}'),
  ('The War of the Worlds', 'H. G. Wells', 1898, '9780141441030', '{"science fiction",invasion}'),
  ('The Time Machine', 'H. G. Wells', 1895, '9780141439976', '{"science fiction",time}')
on conflict (isbn) do nothing;

-- The Worker's own role, because a Worker that only reads and adds books needs no more.
-- It can't log in before it has a password: alter role library password '…'.
do $$
begin
  if not exists (select from pg_roles where rolname = 'library') then
    create role library login;
  end if;
end
$$;

grant select, insert on books to library;
