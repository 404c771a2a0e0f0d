-- works since 0009
-- Who did what to the system itself. Nothing in it is ever changed: the roles of the processes may only add to it.
create table audit_entry (
  audit_id      bigint generated always as identity primary key,
  at            timestamptz not null default now(),
  -- The user of the machine, or the name of a key.
  actor         text        not null,
  -- As key.create.
  action        text        not null,
  resource_type text        not null,
  resource_id   text        not null,
  metadata      jsonb       not null default '{}'
);

-- Who may make and drop months of the log may not for that reason create anything else, or drop another table: whoever may create
-- what he likes in this schema can put a function in the way of the next statement of its owner.

-- Made beside the table and then attached: ATTACH does not wait for open inserts, CREATE … PARTITION OF does.
create function make_log_month(log_table text, month date) returns void
language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  partition text := log_table || '_' || to_char(month, 'YYYY_MM');
  starts timestamptz := date_trunc('month', month::timestamp) at time zone 'UTC';
  ends timestamptz := (date_trunc('month', month::timestamp) + interval '1 month') at time zone 'UTC';
begin
  if not exists (select from pg_partitioned_table where partrelid = to_regclass(format('public.%I', log_table))) then
    raise exception '% is no table of the log', log_table;
  end if;
  if exists (
    select from pg_inherits
    where inhparent = format('public.%I', log_table)::regclass and inhrelid = to_regclass(format('public.%I', partition))
  ) then return; end if;
  execute format('create table public.%I (like public.%I including defaults including constraints)', partition, log_table);
  execute format('alter table public.%I attach partition public.%I for values from (%L) to (%L)', log_table, partition, starts, ends);
end
$$;

-- Drops a month that was detached, and ended before the horizon.
create function drop_log_month(log_table text, month date) returns void
language plpgsql security definer set search_path = public, pg_temp
as $$
declare
  partition text := log_table || '_' || to_char(month, 'YYYY_MM');
begin
  if not exists (select from pg_partitioned_table where partrelid = to_regclass(format('public.%I', log_table)))
    or exists (select from pg_inherits where inhrelid = to_regclass(format('public.%I', partition)))
    or (date_trunc('month', month::timestamp) + interval '1 month') at time zone 'UTC' > (select horizon from log_horizon)
  then raise exception '% is no month of the log that may be dropped', partition; end if;
  execute format('drop table public.%I', partition);
end
$$;

revoke execute on function make_log_month(text, date), drop_log_month(text, date) from public;
