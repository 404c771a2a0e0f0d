-- works since 0034
-- How many items came in each hour, and what became of them: accepted, duplicates and rejected ones.

-- Of the items that one call brought: those that were offered to the log, which are accepted or duplicates, and those that were rejected. Null
-- where nothing is counted by the batch: what the release before recorded, and interactions that follow from payments.
alter table interaction_batch add column items integer;
alter table interaction_batch add column refused integer;
-- What the items are, where the kind of the batch does not say it: rejected records of products, and webhooks.
alter table interaction_batch add column counted_as text collate "C";

-- A call without a batch is counted once, however many attempts of it run: callbacks, analytics events and products.
create table ingest_call (
  counted_at timestamptz not null default now(),
  call_id    uuid        primary key,
  accepted   integer     not null,
  duplicates integer     not null,
  rejected   integer     not null,
  kind       text collate "C" not null
);
create index ingest_call_by_time on ingest_call (counted_at);

-- What statements counted and is not in ingest_hour yet. Without an index, because a fold empties it every few seconds.
create table ingest_delta (
  hour       timestamptz not null,
  accepted   integer     not null,
  duplicates integer     not null,
  rejected   integer     not null,
  kind       text collate "C" not null
);

create table ingest_hour (
  hour       timestamptz not null,
  accepted   bigint      not null,
  duplicates bigint      not null,
  rejected   bigint      not null,
  kind       text collate "C" not null,
  primary key (hour, kind)
);

-- Roles that record may count what they record at once, and those that feed profiles may fold it, so that no process waits for migrate --role.
do $$
declare
  role_name text;
begin
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'shopper_product'::regclass and a.privilege_type = 'SELECT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant select on ingest_call, ingest_delta, ingest_hour to %s', role_name);
  end loop;
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'interaction_batch'::regclass and a.privilege_type = 'INSERT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant select, insert on ingest_call to %s', role_name);
    execute format('grant insert on ingest_delta to %s', role_name);
  end loop;
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'shopper_product'::regclass and a.privilege_type = 'INSERT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant delete on ingest_call to %s', role_name);
    execute format('grant update (kind), delete on ingest_delta to %s', role_name);
    execute format('grant insert, update on ingest_hour to %s', role_name);
  end loop;
end $$;
