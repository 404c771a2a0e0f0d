-- works since 0016
-- Captures, reversals, adjustments and weights of payments, and the rule by which payments are settled.

alter table payment_callback
  add column capture_ref text collate "C",
  add column reverses    text collate "C",
  -- The rule that was in force; null, which is rule 1, for a process of the release before, which does not know the column.
  add column rule        smallint;

-- Null for an adjustment, which counts as no item.
alter table sale_line alter column product_id drop not null;

-- What is open at a seller, by the day of the callback: items of payments that are pending, and refunds that wait for their payment.
-- Payments that rule 1 settled are in seller_pending.
create table seller_pending_day (
  items     bigint not null,
  refunds   bigint not null,
  day       date   not null,
  seller_id text collate "C" not null,
  primary key (seller_id, day)
);

-- The rule by which new callbacks are settled. A payment that was settled by an older one is settled again.
create table ledger_rule (
  -- When a process was last seen that knows rule 1 only.
  older_seen_at timestamptz not null default now(),
  rule          smallint    not null,
  -- Whether no payment is left whose settlement by this rule may differ from that by the rule before.
  is_complete   boolean     not null default false,
  singleton     boolean     primary key default true check (singleton)
);
-- A new database has no older processes, and no payments.
insert into ledger_rule (rule, is_complete)
select case when is_new then 2 else 1 end, is_new
from (select exists (select from migration where name like '0001%' and applied_at = now()) as is_new) d;

-- Payments must not be settled by an older rule than the one that is in force. A process that knows rule 1 only writes none. Its rights
-- are those of the owner, because such a process may not read the table.
create function refuse_older_rule() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if (select rule from public.ledger_rule) > coalesce(new.rule, 1) then
    raise exception 'payments are settled by a newer rule: a release that does not know it cannot record them'
      using errcode = 'object_not_in_prerequisite_state';
  end if;
  return new;
end $$;
revoke execute on function refuse_older_rule() from public;
create trigger payment_callback_rule before insert on payment_callback for each row when (new.rule is null or new.rule < 2)
  execute function refuse_older_rule();

-- Takes a new rule into force: waits for the transactions that record payments, and lets older releases start no more. Its rights are
-- those of the owner, because the endpoint may do neither.
create function take_rule_into_force() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if new.rule not between old.rule and 2 then raise exception 'the ledger cannot go from rule % to rule %', old.rule, new.rule; end if;
  lock table public.payment_callback in share row exclusive mode;
  update public.migration set works_since = '0018' where name like '0018%';
  return new;
end $$;
revoke execute on function take_rule_into_force() from public;
create trigger ledger_rule_force before update of rule on ledger_rule for each row when (new.rule <> old.rule)
  execute function take_rule_into_force();
