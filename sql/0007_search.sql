-- What shoppers searched for, and what they were shown: a table of the log like `interaction`, partitioned by month too.
create table search (
  occurred_at      timestamptz not null,
  batch_id         bigint      not null,
  event_id         uuid        not null,
  -- As typed, and as it is counted under.
  query            text collate "C" not null,
  normalised_query text collate "C" not null,
  account_id       text collate "C",
  session_id       text collate "C",
  -- In the order in which they were shown, each once; none when nothing was found.
  product_ids      text[] collate "C" not null,
  primary key (occurred_at, event_id)
) partition by range (occurred_at);
create index search_by_batch on search (batch_id);

-- A batch is of one kind. One of searches holds as many events as its searches showed products: each of them is counted.
alter table interaction_batch add column is_search boolean not null default false;

-- A product in a search's results, and an interaction that says the same.
alter table event_type drop constraint event_type_counter_check;
alter table event_type add constraint event_type_counter_check check (counter in (
  'view_count', 'purchase_count', 'favorite_count', 'cart_count', 'review_count', 'search_count', 'search_click_count'));
insert into event_type (event_type, counter) values ('search_impression', 'search_count');
-- Interactions of this type may have come before it had a counter.
update product_popularity p set search_count = shown.events
from (select product_id, sum(events) as events from product_hour where event_type = 'search_impression' group by product_id) shown
where shown.product_id = p.product_id;

-- Which clicks followed the queries of some days, without reading everything else that happened in them.
create index interaction_search_clicks on interaction (occurred_at) where event_type = 'click_from_search';
