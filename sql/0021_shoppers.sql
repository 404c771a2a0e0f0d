-- works since 0016
-- What each shopper did last, and which sessions belong to which account.

-- The newest 100 events of each shopper, by occurred_at and event_id, of the product events in batches that have recent_at. It may have
-- older events too: feeding trims a shopper at some of its events only.
create table shopper_recent (
  occurred_at timestamptz not null,
  event_id    uuid        not null,
  shopper_id  text collate "C" not null,
  product_id  text collate "C" not null,
  event_type  text collate "C" not null,
  category    text collate "C",
  brand       text collate "C",
  primary key (shopper_id, occurred_at, event_id)
);

-- When the batch was brought to shopper_recent: with fed_at, or later when a process fed it that does not know the table.
alter table interaction_batch add column recent_at timestamptz;

-- Batches that such a process fed since this file was applied. A task brings them.
create table recent_waiting (
  batch_id bigint primary key
);

-- How far the task is.
create table recent_progress (
  -- It has yet to look at the batches with smaller numbers; from the newest to the oldest.
  next_batch_id bigint      not null,
  -- shopper_recent has no events before this instant, but for some that were fed later.
  swept_to      timestamptz not null default '2000-01-01 00:00:00+00',
  singleton     boolean     primary key default true check (singleton)
);
insert into recent_progress (next_batch_id) select coalesce(max(batch_id), 0) + 1 from interaction_batch;

-- Its rights are those of the owner, because a process of the release before may have none on the table.
create function note_batch_without_recent() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into public.recent_waiting (batch_id) values (new.batch_id) on conflict do nothing;
  return new;
end $$;
revoke execute on function note_batch_without_recent() from public;
create trigger interaction_batch_recent after update of fed_at on interaction_batch for each row
  when (new.fed_at is not null and old.fed_at is null and new.recent_at is null)
  execute function note_batch_without_recent();

-- A session that signed in. It belongs to the first account that it was merged into, for ever. Rows of other tables keep the session's
-- id, and reads of an account add its sessions.
create table shopper_redirect (
  merged_at  timestamptz not null default now(),
  session_id text collate "C" primary key,
  account_id text collate "C" not null
);
create index shopper_redirect_by_account on shopper_redirect (account_id, merged_at desc);

-- Roles that feed profiles or read them may do the same with the new tables at once, so that no process waits for migrate --role.
do $$
declare
  role_name text;
begin
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'shopper_product'::regclass and a.privilege_type = 'SELECT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant select on shopper_recent, recent_waiting, recent_progress, shopper_redirect to %s', role_name);
  end loop;
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'shopper_product'::regclass and a.privilege_type = 'INSERT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant insert, update, delete on shopper_recent, shopper_redirect to %s', role_name);
    execute format('grant delete on recent_waiting to %s', role_name);
    execute format('grant update (next_batch_id, swept_to) on recent_progress to %s', role_name);
    execute format('grant update (recent_at) on interaction_batch to %s', role_name);
  end loop;
end $$;
