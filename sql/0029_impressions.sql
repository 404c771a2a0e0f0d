-- works since 0016
-- Which recommendations were answered. What follows from them is read from the log.

create table impression (
  shown_at           timestamptz not null,
  -- 0 when there were no similarities.
  similarity_version bigint      not null,
  recommendation_id  uuid        primary key,
  strategy           text collate "C" not null,
  blend              text collate "C" not null,
  -- Null for a history that the caller brought.
  shopper_id         text collate "C",
  -- In the order of the answer.
  product_ids        text[] collate "C" not null
);
create index impression_by_time on impression (shown_at);
create index impression_by_shopper on impression (shopper_id, shown_at) where shopper_id is not null;

-- How many there are, and how many products they have, by UTC day.
create table impression_day (
  impressions        bigint not null,
  products           bigint not null,
  similarity_version bigint not null,
  day                date   not null,
  strategy           text collate "C" not null,
  blend              text collate "C" not null,
  primary key (day, strategy, blend, similarity_version)
);

-- Metadata that numbers are made of: stars of a rating, the query of a click, and the recommendation that an event follows from. A query is
-- normalised as the function normalisedQuery of src/contract/search.ts does it: the class has the blanks of JavaScript.
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
  end end,
  'recommendation_id', case when jsonb_typeof(metadata -> 'recommendation_id') = 'string'
    and metadata ->> 'recommendation_id' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then metadata -> 'recommendation_id' end
)), '{}');

-- Roles that feed profiles or read them may do the same with the new tables at once, so that no process waits for migrate --role.
do $$
declare
  role_name text;
begin
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'shopper_product'::regclass and a.privilege_type = 'SELECT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant select on impression, impression_day to %s', role_name);
  end loop;
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'shopper_product'::regclass and a.privilege_type = 'INSERT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant insert, update (shopper_id), delete on impression to %s', role_name);
    execute format('grant insert, update, delete on impression_day to %s', role_name);
  end loop;
end $$;
