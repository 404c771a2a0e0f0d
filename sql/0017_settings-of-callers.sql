-- works since 0014
-- No setting of a caller's session changes what the functions of the log do: the name and the bounds of a month are those of UTC.
alter function make_log_months(text, date[]) set timezone = 'UTC';
alter function make_log_months(text, date[]) set datestyle = 'ISO';
alter function move_log_horizon(integer) set timezone = 'UTC';

-- Drops a month that ended before the horizon. Its name has no sign, so a month before Christ has the name of a present one. The
-- release before detached a month first, and may have been killed half-way.
create or replace function drop_log_month(log_table text, month date) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC'
as $$
declare
  partition oid;
  is_attached boolean;
  is_detaching boolean;
begin
  perform public.check_log_table(log_table);
  select c.oid, i.inhrelid is not null, i.inhdetachpending into partition, is_attached, is_detaching
  from pg_class c left join pg_inherits i on i.inhrelid = c.oid
  where c.relname = log_table || to_char(month, '_YYYY_MM') and c.relkind = 'r'
    and c.relnamespace in ('public'::regnamespace, 'log_month'::regnamespace)
    and (i.inhparent is null or i.inhparent = to_regclass(format('public.%I', log_table)));
  if partition is null or month < '2000-01-01'
    or (date_trunc('month', month::timestamp) + interval '1 month') at time zone 'UTC' > (select horizon from public.log_horizon)
  then raise exception '%', format('%s%s is no month of the log that may be dropped', log_table, to_char(month, '_YYYY_MM')); end if;
  if is_attached then
    execute format('alter table public.%I detach partition %s %s', log_table, partition::regclass,
      case when is_detaching then 'finalize' else '' end);
  end if;
  execute format('drop table %s', partition::regclass);
end
$$;
