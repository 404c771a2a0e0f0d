-- works since 0034
-- For a database of Citus: triggers are not possible on tables that several nodes have, and the place of a row differs on each node.

-- A row needs a name of its own, because a fold must delete the same rows on every node. A fold empties the table every few seconds.
alter table ingest_delta add column delta_id bigint generated always as identity;

-- What the trigger product_alerts_after_update does, for products that a statement has stored, with their quantities and status before it.
-- It is called after that statement, in its transaction, because it must see what was committed while the statement waited for a product. Its
-- rights are those of the owner, because others that write products have none on these tables.
create function cross_stock_alerts(product_ids text[], quantities bigint[], statuses text[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from public.alert where kind = 'low_stock' and deleted_at is null) then return; end if;
  with old_version as materialized (
    select product_id, quantity, status from unnest(product_ids, quantities, statuses) as o (product_id, quantity, status)
  )
  delete from public.alert_subject s using catalog.product n join old_version o using (product_id), public.alert a
  where a.kind = 'low_stock' and a.deleted_at is null and s.alert_id = a.alert_id and s.subject = n.product_id
    and ((n.quantity >= a.rearm_at and not coalesce(o.quantity >= a.rearm_at, false)) or (n.status = 'deleted' and o.status <> 'deleted'));
  with old_version as materialized (
    select product_id, quantity, status from unnest(product_ids, quantities, statuses) as o (product_id, quantity, status)
  ), fell as materialized (
    select a.alert_id, a.is_on, n.product_id, jsonb_strip_nulls(jsonb_build_object(
      'product_id', n.product_id, 'name', n.name, 'seller_id', n.seller_id, 'category', n.category, 'quantity', n.quantity,
      'previous_quantity', o.quantity, 'below', a.threshold,
      'updated_at', to_char(n.updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))) as facts
    from catalog.product n join old_version o using (product_id) join public.alert a
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
end $$;
revoke execute on function cross_stock_alerts(text[], bigint[], text[]) from public;

-- A version of a product as the JSON that decides between two of the same time. It depends on its arguments alone; what it calls is not marked
-- so, because it can write values of other types too.
create function catalog.version_text(product_id text, seller_id text, name text, category text, brand text, price bigint, currency text,
  quantity bigint, status text, updated_at timestamptz) returns text
language sql immutable parallel safe set search_path = pg_catalog, pg_temp
return json_strip_nulls(json_build_object('product_id', product_id, 'seller_id', seller_id, 'name', name, 'category', category, 'brand', brand,
  'price', price, 'currency', currency, 'quantity', quantity, 'status', status,
  'updated_at', to_char(updated_at at time zone 'UTC', '\"YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\"')::json))::text;

-- Roles that store products may do it without triggers at once, so that no process waits for migrate --role.
do $$
declare
  role_name text;
begin
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'catalog.product'::regclass and a.privilege_type = 'INSERT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant execute on function cross_stock_alerts(text[], bigint[], text[]) to %s', role_name);
  end loop;
end $$;
