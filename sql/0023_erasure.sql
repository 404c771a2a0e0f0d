-- works since 0016
-- Erasing a person: the rows about a shopper get the ids of another, random one.

-- Which shoppers were erased, and up to when. Only the key of ERASURE_KEY_FILE, which is not in the database, tells whose row this is.
create table shopper_tombstone (
  -- Events of the shopper up to this instant are recorded under a fresh pseudonym.
  erased_at    timestamptz not null,
  -- A call of a recording handler says which tombstones it knows. A changed tombstone has a new number.
  tombstone_no bigint      not null unique,
  -- The key, so that a process with another one does not start.
  key_id       bytea       not null,
  -- HMAC-SHA-256 of the shopper's id.
  id_hmac      bytea       primary key
);

create table erasure_run (
  run_id        uuid        primary key,
  requested_at  timestamptz not null default now(),
  started_at    timestamptz,
  finished_at   timestamptz,
  active_at     timestamptz not null default now(),
  -- The instant of the tombstones.
  erased_at     timestamptz,
  -- The newest batch then: what was recorded before is erased, also when its sender's clock was ahead.
  batch_max     bigint,
  status        text collate "C" not null check (status in ('pending', 'running', 'completed', 'failed')),
  -- The next part of the work, and the month where it goes on.
  step          text collate "C" not null,
  place         text collate "C",
  actor         text not null,
  requested_by  text,
  error_message text,
  -- Undone by the end of the run.
  shopper_id    text collate "C",
  check ((finished_at is not null) = (status in ('completed', 'failed'))),
  check ((shopper_id is null) = (status in ('completed', 'failed')))
);
-- At most one run of a shopper is open.
create unique index erasure_run_open on erasure_run (shopper_id) where status in ('pending', 'running');

-- The shoppers of a run and their pseudonyms, until it ends.
create table erasure_shopper (
  run_id     uuid not null references erasure_run,
  shopper_id text collate "C" not null,
  -- Random. No function of the log's owner gives a row to a real shopper.
  pseudonym  text collate "C" not null check (pseudonym ~ '^erased-[0-9a-f]{32}$'),
  primary key (run_id, shopper_id)
);

-- The events of a run that are found and not yet erased, until it ends.
create table erasure_event (
  occurred_at timestamptz not null,
  run_id      uuid        not null references erasure_run,
  event_id    uuid        not null,
  batch_id    bigint      not null,
  primary key (run_id, occurred_at, event_id)
);

-- How many rows of each table a run has erased.
create table erasure_count (
  erased     bigint not null,
  run_id     uuid   not null references erasure_run,
  table_name text collate "C" not null,
  primary key (run_id, table_name)
);

-- The newest tombstone that a recording call knew; null for a process of the release before, which knows none.
alter table interaction_batch add column tombstone_no bigint;

-- A process of the release before would record late events of an erased person. Restate repeats its calls until a newer one takes them.
create function refuse_unaware_recording() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from public.shopper_tombstone) then
    raise exception 'a person was erased: a release that does not know tombstones cannot record events'
      using errcode = 'object_not_in_prerequisite_state';
  end if;
  return new;
end $$;
create trigger interaction_batch_unaware before insert on interaction_batch for each row when (new.tombstone_no is null)
  execute function refuse_unaware_recording();

-- The first tombstone lets older releases start no more. Its rights are those of the owner, because the endpoint may not change the table.
create function require_tombstones() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update public.migration set works_since = '0023' where name like '0023%' and works_since <> '0023';
  return null;
end $$;
create trigger shopper_tombstone_required after insert on shopper_tombstone for each statement execute function require_tombstones();

-- Metadata that numbers are made of: stars of a rating, and the query of a click.
create function kept_metadata(event_type text, metadata jsonb) returns jsonb
language sql immutable parallel safe set search_path = pg_catalog, pg_temp
return nullif(jsonb_strip_nulls(jsonb_build_object(
  'rating', case when event_type in ('rating_low', 'rating_medium', 'rating_high') and jsonb_typeof(metadata -> 'rating') = 'number'
    and (metadata ->> 'rating')::numeric between 1 and 5 then metadata -> 'rating' end,
  'query', case when event_type = 'click_from_search' and jsonb_typeof(metadata -> 'query') in ('string', 'number') then metadata -> 'query' end
)), '{}');

-- The functions below work with the rights of the log's owner, because the endpoint may not change the log. They give rows of a run's
-- shoppers the run's pseudonyms, take the personal columns away, and do nothing else. A row of another account whose session is a shopper of the run
-- keeps everything but its session.

create function erase_interactions(run uuid) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  erased bigint;
begin
  perform public.check_log_table('interaction');
  update public.interaction i set
    account_id = case when m.is_of_shopper then m.account else i.account_id end,
    session_id = case when m.is_of_shopper then m.session else coalesce(m.session, i.session_id) end,
    account_number = case when m.is_of_shopper then null else i.account_number end,
    ip_address = case when m.is_of_shopper then null else i.ip_address end,
    user_agent = case when m.is_of_shopper then null else i.user_agent end,
    metadata = case when m.is_of_shopper then public.kept_metadata(i.event_type, i.metadata) else i.metadata end
  from (
    select o.occurred_at, o.event_id, a.pseudonym as account, s.pseudonym as session,
      a.pseudonym is not null or o.account_id is null as is_of_shopper
    from public.erasure_event e join public.interaction o on o.occurred_at = e.occurred_at and o.event_id = e.event_id
      left join public.erasure_shopper a on a.run_id = run and a.shopper_id = 'account:' || o.account_id
      left join public.erasure_shopper s on s.run_id = run and s.shopper_id = 'session:' || o.session_id
    where e.run_id = run and (a.pseudonym is not null or s.pseudonym is not null)
  ) m where i.occurred_at = m.occurred_at and i.event_id = m.event_id;
  get diagnostics erased = row_count;
  return erased;
end
$$;

-- Searches of a month: up to the instant of the run, or recorded before it.
create function erase_searches(run uuid, month date) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC'
as $$
declare
  erased bigint;
begin
  perform public.check_log_table('search');
  update public.search t set
    account_id = case when m.is_of_shopper then m.account else t.account_id end,
    session_id = case when m.is_of_shopper then m.session else coalesce(m.session, t.session_id) end,
    query = case when m.is_of_shopper then t.normalised_query else t.query end
  from (
    select o.occurred_at, o.event_id, a.pseudonym as account, s.pseudonym as session,
      a.pseudonym is not null or o.account_id is null as is_of_shopper
    from public.erasure_run r
      join public.search o on o.occurred_at >= month::timestamp at time zone 'UTC'
        and o.occurred_at < (month + interval '1 month') at time zone 'UTC' and (o.occurred_at <= r.erased_at or o.batch_id <= r.batch_max)
      left join public.erasure_shopper a on a.run_id = run and a.shopper_id = 'account:' || o.account_id
      left join public.erasure_shopper s on s.run_id = run and s.shopper_id = 'session:' || o.session_id
    where r.run_id = run and (a.pseudonym is not null or s.pseudonym is not null)
  ) m where t.occurred_at = m.occurred_at and t.event_id = m.event_id;
  get diagnostics erased = row_count;
  return erased;
end
$$;

-- Analytics events of a month whose entity is an id of the run's shoppers, or whose payload has one as a text; not those that tell of
-- payments of the sources `providers`, because their entities are orders. Returns their number, and the days on which an entity changed.
create function erase_analytics_events(run uuid, month date, providers integer[]) returns table (erased bigint, days date[])
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC'
as $$
declare
  ids jsonb := (select jsonb_build_object('ids', jsonb_agg(substr(shopper_id, strpos(shopper_id, ':') + 1)))
    from public.erasure_shopper where run_id = run);
begin
  perform public.check_log_table('analytics_event');
  return query with changed as (
    update public.analytics_event t set entity_id = coalesce(m.pseudonym, t.entity_id), payload = null
    from (
      select o.occurred_at, o.source_id, o.external_ref, (
        select min(s.pseudonym) from public.erasure_shopper s
        where s.run_id = run and substr(s.shopper_id, strpos(s.shopper_id, ':') + 1) = o.entity_id) as pseudonym
      from public.erasure_run r
        join public.analytics_event o on o.occurred_at >= month::timestamp at time zone 'UTC'
          and o.occurred_at < (month + interval '1 month') at time zone 'UTC' and o.occurred_at <= r.erased_at + interval '5 minutes'
      where r.run_id = run and not coalesce(o.source_id = any (providers) and o.payload ? 'payment_ref', false) and (ids -> 'ids' ? o.entity_id
        or jsonb_path_exists(o.payload, '$.** ? (@ == $ids[*])', ids))
    ) m where t.occurred_at = m.occurred_at and t.source_id = m.source_id and t.external_ref = m.external_ref
    returning t.occurred_at, m.pseudonym
  )
  select count(*), array_agg(distinct (c.occurred_at at time zone 'UTC')::date) filter (where c.pseudonym is not null) from changed c;
end
$$;

-- Payments that were received up to the instant of the run. Everything about money stays.
create function erase_payments(run uuid) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  erased bigint;
begin
  update public.payment_callback c set
    account_id = case when m.is_of_shopper then m.account else c.account_id end,
    session_id = case when m.is_of_shopper then m.session else coalesce(m.session, c.session_id) end
  from (
    select o.callback_no, a.pseudonym as account, s.pseudonym as session,
      a.pseudonym is not null or o.account_id is null as is_of_shopper
    from public.erasure_run r join public.payment_callback o on o.received_at <= r.erased_at or o.occurred_at <= r.erased_at
      left join public.erasure_shopper a on a.run_id = run and a.shopper_id = 'account:' || o.account_id
      left join public.erasure_shopper s on s.run_id = run and s.shopper_id = 'session:' || o.session_id
    where r.run_id = run and (a.pseudonym is not null or s.pseudonym is not null)
  ) m where c.callback_no = m.callback_no;
  get diagnostics erased = row_count;
  return erased;
end
$$;

revoke execute on function refuse_unaware_recording(), require_tombstones(), kept_metadata(text, jsonb), erase_interactions(uuid),
  erase_searches(uuid, date), erase_analytics_events(uuid, date, integer[]), erase_payments(uuid) from public;

-- Roles that record may look up tombstones at once, so that no process waits for migrate --role.
do $$
declare
  role_name text;
begin
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'interaction_batch'::regclass and a.privilege_type = 'INSERT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant select on shopper_tombstone to %s', role_name);
  end loop;
end $$;
