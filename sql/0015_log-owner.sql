-- works since 0014
-- The tables of the log can belong to a role of their own (./footfall migrate --role), which owns nothing else. The functions here work
-- with the rights of their owner, which is then that role: a statement that is smuggled into one of them reaches only the log. They set
-- what they depend on, so that no setting of a caller's session changes which month they make or drop.

-- The schema of the months. A role that may create tables in public may also create functions there, and statements of the database's
-- owner would call them. Older months stay in public until `migrate --role` moves them.
create schema log_month;

-- The endpoint drops no month that ended less than so many days ago, and no month at all while this is null.
alter table log_horizon add column keep_days_min integer check (keep_days_min >= 32);
update log_horizon set keep_days_min = 32 where horizon > '2000-01-01 00:00:00+00';

-- Raises unless this is a table of the log. A table of another role may have nothing that calls a function: PostgreSQL evaluates parts
-- of check constraints and of index predicates when a month is attached, with the rights of the caller.
create function check_log_table(log_table text) returns void
language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
  parent oid := to_regclass(format('public.%I', log_table));
  parts text;
begin
  if not exists (select from pg_partitioned_table where partrelid = parent) then
    raise exception '% is no table of the log', log_table;
  end if;
  if (select pg_get_userbyid(relowner) from pg_class where oid = parent) = current_user then return; end if;
  select string_agg(part, ', ') into parts from (
    select 'constraint ' || conname as part from pg_constraint
    where conrelid = parent and contype not in ('p', 'n') and (contype <> 'c' or conbin::text like '%{FUNCEXPR%')
    union all
    select 'default of ' || attname from pg_attrdef join pg_attribute on attrelid = adrelid and attnum = adnum
    where adrelid = parent and adbin::text like '%{FUNCEXPR%'
    union all
    select 'index ' || indexrelid::regclass from pg_index
    where indrelid = parent and (indexprs is not null or indpred::text like '%{FUNCEXPR%')
    union all
    select 'trigger ' || tgname from pg_trigger
    where tgrelid = parent and not tgisinternal and tgfoid not in ('public.keep_rating()'::regprocedure, 'public.mark_dirty()'::regprocedure)
    union all
    select 'rule ' || rulename from pg_rewrite where ev_class = parent
    union all
    select 'policy ' || polname from pg_policy where polrelid = parent
    union all
    select 'statistics ' || stxname from pg_statistic_ext where stxrelid = parent
    union all
    -- Functions, operators and types of PostgreSQL itself are not in pg_depend.
    select pg_describe_object(used.refclassid, used.refobjid, used.refobjsubid) from (
      select classid, objid from pg_depend where refclassid = 'pg_class'::regclass and refobjid = parent
        and classid in ('pg_constraint'::regclass, 'pg_attrdef'::regclass, 'pg_class'::regclass)
      union
      select 'pg_class'::regclass, parent
    ) own join pg_depend used using (classid, objid)
    where used.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass, 'pg_opclass'::regclass)
  ) foreign_parts;
  if parts is not null then
    raise exception '% belongs to another role and has what does not belong to it: %', log_table, parts
      using errcode = 'insufficient_privilege';
  end if;
end
$$;

-- The first days of those months that the table lacks.
create function missing_log_months(log_table text, months date[]) returns setof date
language sql stable set search_path = pg_catalog, pg_temp
begin atomic
  select distinct date_trunc('month', month::timestamp)::date from unnest(months) as month
  where not exists (
    select from pg_inherits join pg_class on pg_class.oid = inhrelid
    where inhparent = to_regclass(format('public.%I', log_table)) and relname = log_table || to_char(month, '_YYYY_MM'))
  order by 1;
end;

-- Makes the months that are missing, all or none. Callers take turns, and no other statement waits: a month is made as a table and then
-- attached, because ATTACH does not wait for open inserts, and CREATE … PARTITION OF does.
create function make_log_months(log_table text, months date[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO'
as $$
declare
  month date;
  partition text;
begin
  if not exists (select from public.missing_log_months(log_table, months)) then return; end if;
  perform public.check_log_table(log_table);
  execute format('lock table only public.%I in share update exclusive mode', log_table);
  perform public.check_log_table(log_table);
  for month in select * from public.missing_log_months(log_table, months) loop
    if (month between '2000-01-01' and now() + interval '1 year') is not true then
      raise exception 'the log has no month %', to_char(month, 'YYYY-MM');
    end if;
    partition := log_table || to_char(month, '_YYYY_MM');
    execute format('create table log_month.%I (like public.%I including defaults including constraints)', partition, log_table);
    execute format('alter table public.%I attach partition log_month.%I for values from (%L) to (%L)', log_table, partition,
      month::timestamp at time zone 'UTC', (month + interval '1 month') at time zone 'UTC');
  end loop;
end
$$;

-- For the release before.
create or replace function make_log_month(log_table text, month date) returns void
language sql security definer set search_path = pg_catalog, pg_temp
as $$ select public.make_log_months(log_table, array[month]) $$;

-- Drops a month that ended before the horizon; its caller has seen that its events are counted and fed. Its name has no sign, so a
-- month before Christ would have the name of a present one. The release before detached a month first, and may have been killed half-way.
create or replace function drop_log_month(log_table text, month date) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC'
as $$
declare
  partition oid;
  is_attached boolean;
  is_detaching boolean;
begin
  -- Every other statement of the table would queue behind a drop that waits for a long read.
  if current_setting('lock_timeout') = '0' then set local lock_timeout = '1s'; end if;
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

-- Moves the horizon to the start of the month of so many days ago. It never moves back. The owner of the database may keep as little
-- as 32 days, and another role what the owner has set.
create function move_log_horizon(keep_days integer) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC'
as $$
declare
  owner oid := (select relowner from pg_class where oid = 'public.log_horizon'::regclass);
  days_min integer := case when pg_has_role(session_user, owner, 'usage') then 32 else (select keep_days_min from public.log_horizon) end;
begin
  if (keep_days >= days_min) is not true then
    raise exception '% may not drop months that ended % days ago: run footfall migrate --role with RETENTION_DAYS', session_user, keep_days
      using errcode = 'insufficient_privilege';
  end if;
  update public.log_horizon set horizon = h.wanted
  from (select date_trunc('month', now() - keep_days * interval '1 day', 'UTC') as wanted) h
  where horizon < h.wanted;
end
$$;

revoke execute on function check_log_table(text), missing_log_months(text, date[]), make_log_months(text, date[]), move_log_horizon(integer)
  from public;

-- An endpoint that was granted the functions before goes on until it is granted these too.
do $$
begin
  if exists (select from pg_roles where rolname = 'footfall_endpoint' and has_function_privilege(oid, 'make_log_month(text, date)', 'execute')) then
    grant execute on function make_log_months(text, date[]), move_log_horizon(integer) to footfall_endpoint;
  end if;
end
$$;
