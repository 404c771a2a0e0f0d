-- What `footfall migrate --citus` puts in the place of functions of the numbered files. Each can be applied again.

-- A month is made open: creating it waits until no statement uses the table, and no statement begins meanwhile, so no session has a list of months
-- without it. It waits 2 s at most, because the statements behind it wait too; its caller tries again.
create or replace function make_log_months(log_table text, months date[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO'
as $$
declare
  month date;
begin
  if cardinality(months) > 1000 then raise exception '% months are too many for one call', cardinality(months); end if;
  if not exists (select from public.missing_log_months(log_table, months)) then return; end if;
  perform public.check_log_table(log_table);
  if current_setting('lock_timeout') = '0' then set local lock_timeout = '2s'; end if;
  execute format('lock table only public.%I in share update exclusive mode', log_table);
  for month in select * from public.missing_log_months(log_table, months) loop
    if (month between '2000-01-01' and now() + interval '1 year') is not true then
      raise exception 'the log has no month %', to_char(month, 'YYYY-MM');
    end if;
    execute format('create table log_month.%I partition of public.%I for values from (%L) to (%L)', log_table || to_char(month, '_YYYY_MM'),
      log_table, month::timestamp at time zone 'UTC', (month + interval '1 month') at time zone 'UTC');
  end loop;
end
$$;
