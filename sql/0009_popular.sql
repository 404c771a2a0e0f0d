-- Lists of popular products by every mode.

-- Events of all types: what a list's least number of interactions is compared with.
alter table product_popularity add column interaction_count bigint not null default 0;
update product_popularity p set interaction_count = h.events
from (select product_id, sum(events) as events from product_hour group by product_id) h
where h.product_id = p.product_id;

-- Products that get more attention than their past predicts. It changes as time goes by and not only with events, so it is
-- computed now and then and replaced whole.
create table product_rising (
  rising_score double precision not null,
  product_id   text collate "C" primary key
);
create index product_rising_by_score on product_rising (rising_score desc, product_id);
create table product_rising_run (
  singleton   boolean     primary key default true check (singleton),
  computed_at timestamptz not null
);
