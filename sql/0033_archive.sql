-- works since 0016
-- Months of the log are archived before they are dropped, and can be restored into tables of their own.

-- Archived rows name a shopper by its pseudonym, and what else they tell of it is encrypted. Without its row here both lead to nobody, so an
-- erasure deletes the row.
create table archive_shopper (
  -- account:…, session:…, entity:… for the entity of an analytics event, or text:… for the SHA-256 of a text in its payload.
  shopper_id text  collate "C" primary key,
  -- Random.
  pseudonym  uuid  not null unique,
  -- What the key of AES-256-GCM is made of.
  key        bytea not null check (length(key) = 32)
);

-- Manifests name the database that archived, because the pseudonyms of another one have no keys here.
create table archive_identity (
  singleton  boolean primary key default true check (singleton),
  archive_id uuid    not null default gen_random_uuid()
);
insert into archive_identity default values;

-- The parts of months that have no manifest yet. A killed archive goes on after the last one.
create table archive_part (
  rows       bigint  not null check (rows > 0),
  bytes      bigint  not null,
  part       integer not null check (part >= 0),
  table_name text    collate "C" not null,
  month      text    collate "C" not null,
  name       text    collate "C" not null,
  sha256     text    collate "C" not null,
  -- Of its first row and of its last, as PostgreSQL writes them.
  first_key  jsonb   not null,
  last_key   jsonb   not null,
  -- Rows per type of event.
  counts     jsonb   not null,
  primary key (table_name, month, part)
);

-- Restored months: one table for each table of the log and month, which is no partition of it.
create schema restored;

create table restored_month (
  -- Null until every part is in the table.
  restored_at timestamptz,
  table_name  text collate "C" not null,
  month       text collate "C" not null,
  primary key (table_name, month)
);

create table restored_part (
  part       integer not null,
  table_name text    collate "C" not null,
  month      text    collate "C" not null,
  sha256     text    collate "C" not null,
  primary key (table_name, month, part)
);

-- Gives the rows of a run's shoppers in restored months the run's pseudonyms, and takes their personal columns away, as erase_interactions,
-- erase_searches and erase_analytics_events do in the log. Works with the rights of the database's owner, who restores.
create function erase_restored(run uuid) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  month record;
  erased bigint := 0;
  changed bigint;
  providers integer[] := array(select source_id from public.event_source where exists (select from public.payment_callback where provider = slug));
  pseudonyms jsonb := (
    select coalesce(jsonb_object_agg(s.id, s.pseudonym), '{}') from (
      select substr(shopper_id, strpos(shopper_id, ':') + 1) as id, min(pseudonym) as pseudonym
      from public.erasure_shopper where run_id = run group by 1) s);
  shopper text := $q$
    from (
      select o.occurred_at, o.event_id, a.pseudonym as account, s.pseudonym as session,
        a.pseudonym is not null or o.account_id is null as is_of_shopper
      from restored.%1$I o
        left join public.erasure_shopper a on a.run_id = $1 and a.shopper_id = 'account:' || o.account_id
        left join public.erasure_shopper s on s.run_id = $1 and s.shopper_id = 'session:' || o.session_id
      where a.pseudonym is not null or s.pseudonym is not null
    ) m where t.occurred_at = m.occurred_at and t.event_id = m.event_id $q$;
  ids text := $q$
    account_id = case when m.is_of_shopper then m.account else t.account_id end,
    session_id = case when m.is_of_shopper then m.session else coalesce(m.session, t.session_id) end, $q$;
begin
  for month in
    select relname as name, regexp_replace(relname, '_[0-9]{4}_[0-9]{2}$', '') as kind from pg_class
    where relnamespace = 'restored'::regnamespace and relkind = 'r' and relname ~ '^(interaction|search|analytics_event)_[0-9]{4}_[0-9]{2}$'
    order by 1
  loop
    execute format(case month.kind
      when 'interaction' then 'update restored.%1$I t set' || ids || $q$
        account_number = case when m.is_of_shopper then null else t.account_number end,
        ip_address = case when m.is_of_shopper then null else t.ip_address end,
        user_agent = case when m.is_of_shopper then null else t.user_agent end,
        metadata = case when m.is_of_shopper then public.kept_metadata(t.event_type, t.metadata) else t.metadata end $q$ || shopper
      when 'search' then 'update restored.%1$I t set' || ids || $q$
        query = case when m.is_of_shopper then t.normalised_query else t.query end $q$ || shopper
      else $q$
        update restored.%1$I t set entity_id = coalesce($2 ->> t.entity_id, t.entity_id), payload = null
        where not coalesce(t.source_id = any ($3) and t.payload ? 'payment_ref', false) and ($2 ? t.entity_id
          or $2 ?| array(select p #>> '{}' from jsonb_path_query(t.payload, 'strict $.** ? (@.type() == "string")') p)) $q$
      end, month.name) using run, pseudonyms, providers;
    get diagnostics changed = row_count;
    erased := erased + changed;
  end loop;
  return erased;
end
$$;

revoke execute on function erase_restored(uuid) from public;

-- The keys go with the run, also when a process of the release before erases.
create function forget_archived() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  delete from public.archive_shopper a using (select shopper_id, substr(shopper_id, strpos(shopper_id, ':') + 1) as id from gone) g
  where a.shopper_id in (g.shopper_id, 'entity:' || g.id, 'text:' || encode(sha256(convert_to(g.id, 'UTF8')), 'hex'));
  return null;
end
$$;
revoke execute on function forget_archived() from public;
create trigger erasure_shopper_archived after delete on erasure_shopper referencing old table as gone for each statement
  execute function forget_archived();

-- Roles that record may archive at once, so that no process waits for migrate --role. The gateway may not read the keys.
do $$
declare
  role_name text;
begin
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'shopper_product'::regclass and a.privilege_type = 'INSERT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant select, insert, delete on archive_shopper, archive_part to %s', role_name);
    execute format('grant select on archive_identity, restored_month, restored_part to %s', role_name);
    execute format('grant execute on function erase_restored(uuid), kept_metadata(text, jsonb) to %s', role_name);
  end loop;
end $$;
