-- works since 0016
-- Erasing and showing a person cost one pass, however many ids the person has.

-- The payments of a person, whatever came of them. Recording payments waits while the indexes are made.
create index payment_callback_by_account on payment_callback (account_id) where account_id is not null;
create index payment_callback_by_session on payment_callback (session_id) where session_id is not null;
create index payment_callback_of_guest on payment_callback (order_id) where account_id is null and session_id is null;

-- Metadata that numbers are made of: stars of a rating, and the query of a click. A query is normalised as the function
-- normalisedQuery of src/contract/search.ts does it: the class has the blanks of JavaScript.
create or replace function kept_metadata(event_type text, metadata jsonb) returns jsonb
language sql immutable parallel safe set search_path = pg_catalog, pg_temp
return nullif(jsonb_strip_nulls(jsonb_build_object(
  'rating', case when event_type in ('rating_low', 'rating_medium', 'rating_high') and jsonb_typeof(metadata -> 'rating') = 'number'
    and (metadata ->> 'rating')::numeric between 1 and 5 then metadata -> 'rating' end,
  'query', case when event_type = 'click_from_search' then case jsonb_typeof(metadata -> 'query')
    when 'number' then metadata -> 'query'
    when 'string' then to_jsonb(nullif(rtrim(left(btrim(regexp_replace(
      normalize(lower(normalize(metadata ->> 'query', NFKC) collate "pg_unicode_fast"), NFKC),
      '[\u0009-\u000d\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]+', ' ', 'g')), 200)), ''))
  end end
)), '{}');

-- As before, but looks each text of a payload up in the ids, and does not compare it with each.
create or replace function erase_analytics_events(run uuid, month date, providers integer[]) returns table (erased bigint, days date[])
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC'
as $$
declare
  -- By id. PostgreSQL finds a key of an object by halving.
  pseudonyms jsonb := (
    select coalesce(jsonb_object_agg(s.id, s.pseudonym), '{}') from (
      select substr(shopper_id, strpos(shopper_id, ':') + 1) as id, min(pseudonym) as pseudonym
      from public.erasure_shopper where run_id = run group by 1) s);
begin
  perform public.check_log_table('analytics_event');
  return query with changed as (
    update public.analytics_event t set entity_id = coalesce(m.pseudonym, t.entity_id), payload = null
    from (
      select o.occurred_at, o.source_id, o.external_ref, pseudonyms ->> o.entity_id as pseudonym
      from public.erasure_run r
        join public.analytics_event o on o.occurred_at >= month::timestamp at time zone 'UTC'
          and o.occurred_at < (month + interval '1 month') at time zone 'UTC' and o.occurred_at <= r.erased_at + interval '5 minutes'
      where r.run_id = run and not coalesce(o.source_id = any (providers) and o.payload ? 'payment_ref', false) and (pseudonyms ? o.entity_id
        or pseudonyms ?| array(select t #>> '{}' from jsonb_path_query(o.payload, 'strict $.** ? (@.type() == "string")') t))
    ) m where t.occurred_at = m.occurred_at and t.source_id = m.source_id and t.external_ref = m.external_ref
    returning t.occurred_at, m.pseudonym
  )
  select count(*), array_agg(distinct (c.occurred_at at time zone 'UTC')::date) filter (where c.pseudonym is not null) from changed c;
end
$$;

-- As before, but also payments without a shopper, whose order stands for one: it gets the pseudonym of the session order:<order_id>.
create or replace function erase_payments(run uuid) returns bigint
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
      left join public.erasure_shopper s on s.run_id = run
        and s.shopper_id = case when o.session_id is null and o.account_id is null then 'session:order:' || o.order_id else 'session:' || o.session_id end
    where r.run_id = run and (a.pseudonym is not null or s.pseudonym is not null)
  ) m where c.callback_no = m.callback_no;
  get diagnostics erased = row_count;
  return erased;
end
$$;
