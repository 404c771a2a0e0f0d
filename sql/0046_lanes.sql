-- works since 0034
-- Counting in lanes, each for a part of the products: several transactions count at the same time, and none waits for the products of another.

-- How many lanes there are. Transactions that count read it under the rules lock.
alter table popularity_rules add column lanes smallint not null default 1 check (lanes in (1, 2, 4, 8, 16, 32, 64));

-- A product belongs to one of 64 slots, for ever, and a slot to a lane. As bits: the slots of the batch's products, at least; null when an older
-- release recorded the batch, for all slots. And the slots that are counted. A batch that is counted at once has none of them.
alter table interaction_batch add column product_slots bigint;
alter table interaction_batch add column counted_slots bigint not null default 0;

-- A release that does not know slots must not count a batch whole of which a part is counted. Not checked for the rows of before, which have no
-- counted slots.
alter table interaction_batch add constraint interaction_batch_slots
  check (scored_at is null or counted_slots = 0 or coalesce(product_slots, -1) & ~counted_slots = 0) not valid;

-- Roles that count may do so at once, so that no process waits for migrate --role.
do $$
declare
  role_name text;
begin
  for role_name in
    select distinct a.grantee::regrole::text from pg_attribute t cross join lateral aclexplode(t.attacl) a
    where t.attrelid = 'interaction_batch'::regclass and t.attname = 'scored_at' and a.privilege_type = 'UPDATE' and a.grantee <> 0
  loop
    execute format('grant update (counted_slots) on interaction_batch to %s', role_name);
  end loop;
end $$;
