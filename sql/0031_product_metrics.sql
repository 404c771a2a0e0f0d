-- works since 0016
-- What each seller, each category and low stock come to, as a function of catalog.product at any instant: a row of product_metric and
-- its deltas together are exact, also while a release writes products that knows nothing of metrics.

-- A product is low when it is active and has fewer items than this. The index product_low_stock has the same number.
create table product_metric_setting (
  low_stock_below integer not null default 10 check (low_stock_below between 1 and 1000000),
  singleton       boolean primary key default true check (singleton)
);
insert into product_metric_setting default values;

-- By key: SELLER#id, CATEGORY#name or LOWSTOCK. Products without a price, and deleted ones, have the currency ''.
create table product_metric (
  total     bigint  not null,
  active    bigint  not null,
  deleted   bigint  not null,
  -- Σ price · quantity of products that are not deleted. Numeric, because products may have any price and quantity.
  value     numeric not null,
  -- Σ price of the same products.
  price_sum numeric not null,
  key       text collate "C" not null,
  currency  text collate "C" not null,
  primary key (key, currency)
);

-- What statements changed and is not in product_metric yet.
create table product_metric_delta (
  delta_id   bigint generated always as identity,
  changed_at timestamptz not null default now(),
  total      bigint  not null,
  active     bigint  not null,
  deleted    bigint  not null,
  value      numeric not null,
  price_sum  numeric not null,
  key        text collate "C" not null,
  currency   text collate "C" not null,
  primary key (key, currency, delta_id)
);

-- When the metrics of a key changed, and which state of them the history has or gets next.
create table product_metric_change (
  changed_at  timestamptz not null,
  recorded_at timestamptz,
  pending_at  timestamptz,
  is_due      boolean not null,
  key         text collate "C" primary key,
  recorded    jsonb,
  pending     jsonb,
  check ((recorded_at is null) = (recorded is null)),
  check ((pending_at is null) = (pending is null))
);
create index product_metric_due on product_metric_change (key) where is_due;
create index product_metric_pending on product_metric_change (key) where pending_at is not null;

-- A row expires 30 days after another one replaced it, so that each key always has its newest row.
create table product_metric_history (
  at         timestamptz not null,
  expires_at timestamptz,
  key        text collate "C" not null,
  state      jsonb not null,
  primary key (key, at)
);
create index product_metric_expiring on product_metric_history (expires_at) where expires_at is not null;

-- Products that became low or are low no more, by the statement that stored the version.
create table low_stock_crossing (
  crossing_id bigint generated always as identity primary key,
  crossed_at  timestamptz not null default now(),
  -- null for a product that is new.
  quantity_before bigint,
  quantity    bigint,
  is_low      boolean not null,
  product_id  text collate "C" not null,
  seller_id   text collate "C"
);
create index low_stock_crossing_by_time on low_stock_crossing (crossed_at, crossing_id);

create index product_low_stock on catalog.product (quantity, product_id) where status = 'active' and quantity < 10;

-- What one product adds to each of its keys.
create function product_metric_cells(
  seller_id text, category text, currency text, price bigint, quantity bigint, status text, low_stock_below integer
) returns table (key text, cell_currency text, total integer, active integer, deleted integer, value numeric, price_sum numeric)
language sql immutable parallel safe as $$
  select c.key, c.currency, 1, (status = 'active')::integer, (status = 'deleted')::integer,
    case when c.currency = '' then 0 else price::numeric * greatest(coalesce(quantity, 0), 0) end,
    case when c.currency = '' then 0 else price::numeric end
  from (values
    ('SELLER#' || seller_id, case when status = 'deleted' then '' else coalesce(currency, '') end),
    (case when status <> 'deleted' then 'CATEGORY#' || category end, coalesce(currency, '')),
    (case when status = 'active' and quantity < low_stock_below then 'LOWSTOCK' end, '')
  ) as c (key, currency)
  where c.key is not null
$$;

-- The triggers work with the rights of their owner, because roles of the release before may not write these tables.
create function add_inserted_product_metrics() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
  below constant integer := (select low_stock_below from product_metric_setting);
begin
  insert into product_metric_delta (key, currency, total, active, deleted, value, price_sum)
  select c.key, c.cell_currency, sum(c.total), sum(c.active), sum(c.deleted), sum(c.value), sum(c.price_sum)
  from new_product p
  cross join lateral product_metric_cells(p.seller_id, p.category, p.currency, p.price, p.quantity, p.status, below) c
  group by 1, 2;
  insert into low_stock_crossing (product_id, seller_id, quantity, is_low)
  select product_id, seller_id, quantity, true from new_product where status = 'active' and quantity < below order by product_id;
  return null;
end $$;

-- Without a join of the old and the new rows, because the plan that is kept from a small statement would be slow for a large one.
create function add_updated_product_metrics() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
  below constant integer := (select low_stock_below from product_metric_setting);
begin
  insert into product_metric_delta (key, currency, total, active, deleted, value, price_sum)
  select * from (
    select c.key, c.cell_currency, sum(p.sign * c.total) as total, sum(p.sign * c.active) as active, sum(p.sign * c.deleted) as deleted,
      sum(p.sign * c.value) as value, sum(p.sign * c.price_sum) as price_sum
    from (
      select 1 as sign, seller_id, category, currency, price, quantity, status from new_product
      union all
      select -1, seller_id, category, currency, price, quantity, status from old_product
    ) p
    cross join lateral product_metric_cells(p.seller_id, p.category, p.currency, p.price, p.quantity, p.status, below) c
    group by 1, 2
  ) s where total <> 0 or active <> 0 or deleted <> 0 or value <> 0 or price_sum <> 0;
  insert into low_stock_crossing (product_id, seller_id, quantity_before, quantity, is_low)
  select product_id, max(seller_id) filter (where is_new), max(quantity) filter (where not is_new), max(quantity) filter (where is_new),
    bool_or(is_low and is_new)
  from (
    select true as is_new, product_id, seller_id, quantity, coalesce(status = 'active' and quantity < below, false) as is_low from new_product
    union all
    select false, product_id, seller_id, quantity, coalesce(status = 'active' and quantity < below, false) from old_product
  ) p
  group by product_id having bool_or(is_low and is_new) <> bool_or(is_low and not is_new) order by product_id;
  return null;
end $$;

create function subtract_deleted_product_metrics() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
  below constant integer := (select low_stock_below from product_metric_setting);
begin
  insert into product_metric_delta (key, currency, total, active, deleted, value, price_sum)
  select c.key, c.cell_currency, -sum(c.total), -sum(c.active), -sum(c.deleted), -sum(c.value), -sum(c.price_sum)
  from old_product p
  cross join lateral product_metric_cells(p.seller_id, p.category, p.currency, p.price, p.quantity, p.status, below) c
  group by 1, 2;
  return null;
end $$;

-- No other transaction writes products while one truncates them. A fold that has taken deltas adds them before the lock is given.
create function clear_product_metrics() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  lock table product_metric_delta in share row exclusive mode;
  delete from product_metric_delta;
  update product_metric set total = 0, active = 0, deleted = 0, value = 0, price_sum = 0;
  update product_metric_change set changed_at = now(), is_due = true;
  return null;
end $$;

revoke execute on function add_inserted_product_metrics(), add_updated_product_metrics(), subtract_deleted_product_metrics(),
  clear_product_metrics() from public;
create trigger product_metrics_insert after insert on catalog.product referencing new table as new_product
  for each statement execute function add_inserted_product_metrics();
create trigger product_metrics_update after update on catalog.product referencing new table as new_product old table as old_product
  for each statement execute function add_updated_product_metrics();
create trigger product_metrics_delete after delete on catalog.product referencing old table as old_product
  for each statement execute function subtract_deleted_product_metrics();
create trigger product_metrics_truncate after truncate on catalog.product for each statement execute function clear_product_metrics();

-- The triggers hold a lock that lets no transaction write products before this one ends, so the sums miss none.
insert into product_metric (key, currency, total, active, deleted, value, price_sum)
select c.key, c.cell_currency, sum(c.total), sum(c.active), sum(c.deleted), sum(c.value), sum(c.price_sum)
from catalog.product p
cross join lateral product_metric_cells(p.seller_id, p.category, p.currency, p.price, p.quantity, p.status, 10) c
group by 1, 2;
insert into product_metric_change (key, changed_at, is_due) select distinct key, now(), true from product_metric;

-- Which of two versions of the same time is newer. Rule 1: the one with the larger JSON text. Rule 2: a deleted one, then the same.
create table product_tie_rule (
  -- When a process was last seen that knows rule 1 only.
  older_seen_at timestamptz not null default now(),
  rule          smallint    not null,
  singleton     boolean     primary key default true check (singleton)
);
-- A new database has no older processes.
insert into product_tie_rule (rule)
select case when exists (select from migration where name like '0001%' and applied_at = now()) then 2 else 1 end;

-- Both rules at work would leave a product as the order of arrival has it. A process that knows rule 1 only names its connections so.
create function refuse_older_tie_rule() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if (select rule from public.product_tie_rule) > 1 then
    raise exception 'versions of products are compared by a newer rule: a release that does not know it cannot write them'
      using errcode = 'object_not_in_prerequisite_state';
  end if;
  return null;
end $$;
revoke execute on function refuse_older_tie_rule() from public;
create trigger product_tie_rule before insert on catalog.product for each statement
  when (current_setting('application_name') in ('footfall endpoint', 'footfall endpoint, ledger rule 2'))
  execute function refuse_older_tie_rule();

-- Takes rule 2 into force: waits for the transactions that write products, and lets older releases start no more. Its rights are those
-- of the owner, because the endpoint may do neither.
create function take_tie_rule_into_force() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if new.rule <> 2 then raise exception 'products cannot go from rule % to rule %', old.rule, new.rule; end if;
  lock table catalog.product in share row exclusive mode;
  update public.migration set works_since = '0031' where name like '0031%';
  return new;
end $$;
revoke execute on function take_tie_rule_into_force() from public;
create trigger product_tie_rule_force before update of rule on product_tie_rule for each row when (new.rule <> old.rule)
  execute function take_tie_rule_into_force();

-- Roles that read or write products may do the same with the new tables at once, so that no process waits for migrate --role.
do $$
declare
  role_name text;
begin
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'catalog.product'::regclass and a.privilege_type = 'SELECT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant select on product_metric_setting, product_metric, product_metric_delta, product_metric_change,
      product_metric_history, low_stock_crossing, product_tie_rule to %s', role_name);
  end loop;
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'catalog.product'::regclass and a.privilege_type = 'INSERT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant insert, update on product_metric, product_metric_change to %s', role_name);
    execute format('grant update (delta_id), delete on product_metric_delta to %s', role_name);
    execute format('grant insert, update (expires_at), delete on product_metric_history to %s', role_name);
    execute format('grant delete on low_stock_crossing to %s', role_name);
    execute format('grant update (rule, older_seen_at) on product_tie_rule to %s', role_name);
  end loop;
end $$;
