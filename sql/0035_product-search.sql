-- works since 0016
-- The search of the catalog: the words of each product's name, and its category, brand, seller and status, in one index.

-- The words of names are those of PostgreSQL's configuration simple. What a product is has a character before it that no word has.
create table catalog.product_search (
  product_id text collate "C" primary key,
  words      tsvector not null
);
-- A search reads the list of pending entries from its beginning to its end, so it is short.
create index product_search_words on catalog.product_search using gin (words) with (gin_pending_list_limit = 256);

-- How far products that were there before are in product_search. The task fill-search adds them, because a migration holds up writers.
create table catalog.product_search_fill (
  filled_to   text collate "C" not null default '',
  is_complete boolean not null,
  singleton   boolean primary key default true check (singleton)
);

create function catalog.product_words(name text, category text, brand text, seller_id text, status text) returns tsvector
language sql immutable parallel safe as $$
  select strip(to_tsvector('pg_catalog.simple', name)) || array_to_tsvector(array_remove(
    array[E'\x01c' || category, E'\x01b' || brand, E'\x01s' || seller_id, E'\x01t' || status], null))
$$;

-- The triggers work with the rights of their owner, because roles of the release before may not write these tables. Rows are written in the
-- order of their keys.
create function catalog.search_inserted_products() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into catalog.product_search as s (product_id, words)
  select product_id, catalog.product_words(name, category, brand, seller_id, status) from new_product order by product_id
  on conflict (product_id) do update set words = excluded.words where s.words <> excluded.words;
  return null;
end $$;

-- Most versions change the price or the quantity alone.
create function catalog.search_updated_products() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into catalog.product_search as s (product_id, words)
  select product_id, catalog.product_words(name, category, brand, seller_id, status) from (
    select product_id, name, category, brand, seller_id, status from new_product
    except
    select product_id, name, category, brand, seller_id, status from old_product
  ) changed order by product_id
  on conflict (product_id) do update set words = excluded.words where s.words <> excluded.words;
  return null;
end $$;

create function catalog.search_deleted_products() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  delete from catalog.product_search where product_id in (select product_id from old_product);
  return null;
end $$;

create function catalog.search_no_products() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  truncate catalog.product_search;
  return null;
end $$;

revoke execute on function catalog.search_inserted_products(), catalog.search_updated_products(), catalog.search_deleted_products(),
  catalog.search_no_products() from public;
create trigger product_search_insert after insert on catalog.product referencing new table as new_product
  for each statement execute function catalog.search_inserted_products();
create trigger product_search_update after update on catalog.product referencing new table as new_product old table as old_product
  for each statement execute function catalog.search_updated_products();
create trigger product_search_delete after delete on catalog.product referencing old table as old_product
  for each statement execute function catalog.search_deleted_products();
create trigger product_search_truncate after truncate on catalog.product
  for each statement execute function catalog.search_no_products();

-- The triggers hold a lock that lets no transaction write products before this one ends.
insert into catalog.product_search_fill (is_complete) select not exists (select from catalog.product);

-- Roles that read or write products may do the same with the new tables at once, so that no process waits for migrate --role.
do $$
declare
  role_name text;
begin
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'product_metric'::regclass and a.privilege_type = 'SELECT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant select on catalog.product_search, catalog.product_search_fill to %s', role_name);
  end loop;
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'product_metric'::regclass and a.privilege_type = 'INSERT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant insert on catalog.product_search to %s', role_name);
    execute format('grant update (filled_to, is_complete) on catalog.product_search_fill to %s', role_name);
  end loop;
end $$;
