-- Hours that are long gone become days: a fourteenth of the rows, when a product has events in most hours.

-- Hours before this instant, the start of a day, belong to product_day: what is still in product_hour is on its way there, and
-- what comes later goes there directly. It only moves forward, under the exclusive rules lock.
alter table popularity_rules add column rolled_to timestamptz not null default '2000-01-01 00:00:00+00';

-- product_hour by UTC day. decayed = Σ 2^((t − day) / half-life).
create table product_day (
  day        timestamptz      not null,
  decayed    double precision not null,
  events     integer          not null,
  product_id text collate "C" not null,
  event_type text collate "C" not null,
  primary key (product_id, day, event_type)
);
create index product_day_by_day on product_day using brin (day) with (pages_per_range = 16, autosummarize = on);

-- Everything that was ever counted. A day's cell stands in its first hour.
create view product_cell as
  select product_id, hour, event_type, events, decayed from product_hour
  union all
  select product_id, day, event_type, events, decayed from product_day;

-- log_horizon's trigger, for the edge of the roll-up.
create function refuse_to_unroll() returns trigger language plpgsql as $$
begin
  if new.rolled_to < old.rolled_to then
    raise exception 'the roll-up moves forward only: % is before %', new.rolled_to, old.rolled_to;
  end if;
  return new;
end $$;
create trigger roll_up_moves_forward before update of rolled_to on popularity_rules
  for each row execute function refuse_to_unroll();
