-- works since 0016
-- Alerts: conditions on products and searches, what crossed them, and what was sent about it.

create table alert (
  made_at    timestamptz not null default now(),
  deleted_at timestamptz,
  -- When lists and searches were first compared with it. What is beyond the condition then has not crossed it.
  checked_at timestamptz,
  -- The receiver wants no delivery before, by its Retry-After.
  resumes_at timestamptz,
  threshold  double precision not null,
  -- A subject that crossed can cross again once it was here: for stock at least, for a place in a list below, for rising at most.
  rearm_at   double precision not null,
  alert_id   uuid        primary key,
  is_on      boolean     not null default true,
  kind       text collate "C" not null check (kind in ('low_stock', 'enters_top', 'rising_above', 'finds_nothing')),
  mode       text collate "C" check ((kind = 'enters_top') = (mode is not null)),
  name       text        not null,
  url        text        not null,
  made_by    text        not null,
  seller_id  text collate "C",
  category   text collate "C",
  product_id text collate "C"
);

-- The subjects that crossed and were not back yet: products, or the queries of a day.
create table alert_subject (
  alert_id uuid not null,
  day      date not null default '-infinity',
  subject  text collate "C" not null,
  primary key (alert_id, subject, day)
);

-- Each crossing, which is one delivery.
create table alert_crossing (
  crossed_at    timestamptz not null default clock_timestamp(),
  -- From here on it is tried for a day.
  tried_from    timestamptz not null default clock_timestamp(),
  due_at        timestamptz not null default clock_timestamp(),
  attempted_at  timestamptz,
  finished_at   timestamptz,
  delivery_id   uuid        primary key default uuidv7(),
  alert_id      uuid        not null,
  -- All of them, and those since tried_from.
  attempts      integer     not null default 0,
  tries         integer     not null default 0,
  answer_status integer,
  status        text collate "C" not null default 'pending' check (status in ('pending', 'delivered', 'failed', 'dropped')),
  subject       text collate "C" not null,
  error         text,
  facts         jsonb       not null
);
create index alert_crossing_next on alert_crossing (alert_id, due_at, delivery_id) where status = 'pending';
create index alert_crossing_of_alert on alert_crossing (alert_id, delivery_id desc);
create index alert_crossing_failed on alert_crossing (alert_id) where status = 'failed';
create index alert_crossing_finished on alert_crossing (finished_at) where finished_at is not null;

-- The gateway reads every table of the other schemas, and none of these.
create schema secret;

-- The secrets that sign deliveries: one, or two during a change.
create table secret.alert_secret (
  made_at    timestamptz not null default now(),
  expires_at timestamptz,
  alert_id   uuid        not null,
  secret_id  uuid        primary key,
  secret     text        not null
);
create index alert_secret_of_alert on secret.alert_secret (alert_id);

-- Secrets come to the endpoint encrypted with the public key, so that Restate keeps none that can be read.
create table secret.sealing_key (
  singleton   boolean primary key default true check (singleton),
  public_key  text    not null,
  private_key text    not null
);

-- Of stored versions. A product that is still beyond the threshold has crossed before. Two statements do not write the same subjects at the
-- same time, because each holds the rows of its products. Its rights are those of the owner, because others that write products have none on
-- these tables.
create function product_alerts() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from public.alert where kind = 'low_stock' and deleted_at is null) then return null; end if;
  -- Only the change to such a version, because there is no subject after it.
  delete from public.alert_subject s using new_version n join old_version o using (product_id), public.alert a
  where a.kind = 'low_stock' and a.deleted_at is null and s.alert_id = a.alert_id and s.subject = n.product_id
    and ((n.quantity >= a.rearm_at and not coalesce(o.quantity >= a.rearm_at, false)) or (n.status = 'deleted' and o.status <> 'deleted'));
  with fell as (
    select a.alert_id, a.is_on, n.product_id, jsonb_strip_nulls(jsonb_build_object(
      'product_id', n.product_id, 'name', n.name, 'seller_id', n.seller_id, 'category', n.category, 'quantity', n.quantity,
      'previous_quantity', o.quantity, 'below', a.threshold,
      'updated_at', to_char(n.updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))) as facts
    from new_version n join old_version o using (product_id) join public.alert a
      on a.kind = 'low_stock' and a.deleted_at is null and o.quantity >= a.threshold and n.quantity < a.threshold
        and (a.product_id is null or a.product_id = n.product_id) and (a.seller_id is null or a.seller_id = n.seller_id)
        and (a.category is null or a.category = n.category)
    where n.status = 'active'
  ), raised as (
    insert into public.alert_subject (alert_id, subject) select alert_id, product_id from fell on conflict do nothing returning alert_id, subject
  )
  insert into public.alert_crossing (alert_id, subject, facts)
  select f.alert_id, f.product_id, f.facts from fell f join raised r on r.alert_id = f.alert_id and r.subject = f.product_id
  where f.is_on order by f.product_id, f.alert_id;
  return null;
end $$;
revoke execute on function product_alerts() from public;
create trigger product_alerts_after_update after update on catalog.product
  referencing old table as old_version new table as new_version for each statement execute function product_alerts();

-- Roles that feed profiles or read them may do the same with the new tables at once, so that no process waits for migrate --role. Only those
-- that feed may read secrets.
do $$
declare
  role_name text;
begin
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'shopper_product'::regclass and a.privilege_type = 'SELECT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant select on alert, alert_subject, alert_crossing to %s', role_name);
  end loop;
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'shopper_product'::regclass and a.privilege_type = 'INSERT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant insert, update on alert to %s', role_name);
    execute format('grant insert, delete on alert_subject to %s', role_name);
    execute format('grant insert, update, delete on alert_crossing to %s', role_name);
    execute format('grant usage on schema secret to %s', role_name);
    execute format('grant select, insert, update (expires_at), delete on secret.alert_secret to %s', role_name);
    execute format('grant select, insert on secret.sealing_key to %s', role_name);
  end loop;
end $$;
