-- works since 0014
-- A session of PostgreSQL lists the partitions of a table once, and again after another session has attached one. A session that is making
-- its list while ATTACH commits keeps a list without the new month: from then on it reads the log without that month, and would mark a
-- batch as counted without having counted its events of that month (PostgreSQL 18.4; only a lock that waits for every reader would
-- prevent it). So a month is attached closed: a trigger rejects its rows like those of a month that does not exist. A second
-- transaction waits until the transactions that may be making such a list have ended, and has every session list the months again. A
-- third one, which begins when all sessions have been told, opens the month.

create function reject_row_of_closed_month() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception 'the month % is not open yet', tg_table_name using errcode = 'check_violation';
end
$$;

revoke execute on function reject_row_of_closed_month() from public;

-- The closed ones of these months, and whether all sessions have been told of them. The trigger's state says it: O after ATTACH, A once all
-- sessions are told, D when the month is open. The next step of a month is for a later transaction.
create function closed_log_months(log_table text, months date[]) returns table (partition regclass, is_listed boolean)
language sql stable set search_path = pg_catalog, pg_temp
begin atomic
  select tgrelid::regclass, tgenabled = 'A' from unnest(months) as month
  join pg_class on relname = log_table || to_char(month, '_YYYY_MM')
  join pg_inherits on inhrelid = pg_class.oid and inhparent = to_regclass(format('public.%I', log_table))
  join pg_trigger on tgrelid = inhrelid
  where tgfoid = 'public.reject_row_of_closed_month()'::regprocedure and tgenabled <> 'D'
    and pg_trigger.xmin::text::bigint is distinct from pg_current_xact_id_if_assigned()::text::bigint % 4294967296;
end;

-- Takes the next step with each of the months that are not open yet, all or none: three calls, each in a transaction of its own, make and
-- open a month. Callers take turns, and no other statement waits: a month is made as a table and then attached, because ATTACH does not wait
-- for open inserts, and CREATE … PARTITION OF does.
create or replace function make_log_months(log_table text, months date[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO'
as $$
declare
  parent regclass := to_regclass(format('public.%I', log_table));
  month date;
  partition text;
  closed record;
  users text[];
  deadline timestamptz;
begin
  if cardinality(months) > 1000 then raise exception '% months are too many for one call', cardinality(months); end if;
  if not exists (select from public.missing_log_months(log_table, months)) and not exists (select from public.closed_log_months(log_table, months))
  then return; end if;
  perform public.check_log_table(log_table);
  execute format('lock table only public.%I in share update exclusive mode', log_table);
  perform public.check_log_table(log_table);

  if exists (select from public.closed_log_months(log_table, months) where not is_listed) then
    -- Making the list takes milliseconds, and a long read must not hold up the month.
    deadline := clock_timestamp() + interval '1 second';
    users := array(
      select virtualtransaction from pg_locks join pg_database on pg_database.oid = database
      where datname = current_database() and relation = parent and granted and pid <> pg_backend_pid());
    while clock_timestamp() < deadline and exists (select from pg_locks where virtualtransaction = any(users)) loop
      perform pg_sleep(0.01);
    end loop;
    -- This changes nothing, and makes every session list the months again.
    execute format('alter table only public.%I alter column occurred_at set statistics %s', log_table,
      (select coalesce(attstattarget, -1) from pg_attribute where attrelid = parent and attname = 'occurred_at'));
  end if;
  for closed in select * from public.closed_log_months(log_table, months) loop
    execute format('alter table %s %s trigger closed', closed.partition, case when closed.is_listed then 'disable' else 'enable always' end);
  end loop;

  for month in select * from public.missing_log_months(log_table, months) loop
    if (month between '2000-01-01' and now() + interval '1 year') is not true then
      raise exception 'the log has no month %', to_char(month, 'YYYY-MM');
    end if;
    partition := log_table || to_char(month, '_YYYY_MM');
    execute format('create table log_month.%I (like public.%I including defaults including constraints)', partition, log_table);
    execute format('create trigger closed before insert on log_month.%I for each row execute function public.reject_row_of_closed_month()', partition);
    execute format('alter table public.%I attach partition log_month.%I for values from (%L) to (%L)', log_table, partition,
      month::timestamp at time zone 'UTC', (month + interval '1 month') at time zone 'UTC');
  end loop;
end
$$;

revoke execute on function closed_log_months(text, date[]) from public;

-- The owner of the log goes on until it is granted these by `migrate --role`.
do $$
begin
  if exists (select from pg_proc where oid = 'make_log_months(text, date[])'::regprocedure and proowner::regrole::text = 'footfall_log') then
    grant execute on function closed_log_months(text, date[]), reject_row_of_closed_month() to footfall_log;
  end if;
end
$$;
