-- What the log adds up to, per product and hour and per product.

-- The event types that a counter counts. Types without a row are counted per hour like all others, under their own name.
create table event_type (
  event_type text collate "C" primary key,
  counter    text not null check (counter in (
    'view_count', 'purchase_count', 'favorite_count', 'cart_count', 'review_count', 'search_click_count'))
);
insert into event_type (event_type, counter) values
  ('view', 'view_count'), ('view_bounce', 'view_count'),
  ('purchase', 'purchase_count'),
  ('add_to_favorites', 'favorite_count'),
  ('add_to_cart', 'cart_count'), ('remove_from_cart', 'cart_count'),
  ('write_review', 'review_count'), ('rating_high', 'review_count'), ('rating_medium', 'review_count'), ('rating_low', 'review_count'),
  ('click_from_search', 'search_click_count');

-- Every weight table that was ever in force. Weights are millionths, so that scores are exact integers.
create table weight_table (
  version    integer primary key,
  name       text        not null,
  created_at timestamptz not null default now()
);
create table weight (
  version       integer not null references weight_table,
  event_type    text collate "C" not null,
  weight_micros bigint  not null,
  primary key (version, event_type)
);

-- The rules in force. Counting reads them here, under the shared rules lock, and never from a process's memory.
create table popularity_rules (
  singleton       boolean primary key default true check (singleton),
  weights_version integer          not null references weight_table,
  half_life_hours double precision not null check (half_life_hours > 0),
  window_hours    integer          not null check (window_hours > 0),
  -- trending is kept as of this instant: Σ weight · 2^((t − landmark) / half-life).
  landmark        timestamptz      not null,
  -- The first hour inside the trending window, and how far the products were repaired after it last moved.
  edge            timestamptz      not null,
  repaired_to     timestamptz      not null
);

-- Counts per hour, from which any window, weight table and instant follows without reading the log.
-- decayed = Σ 2^((t − hour) / half-life): between 1 and 2^(1h / half-life) times events.
create table product_hour (
  hour       timestamptz      not null,
  decayed    double precision not null,
  events     integer          not null,
  product_id text collate "C" not null,
  event_type text collate "C" not null,
  primary key (product_id, hour, event_type)
);
-- Windows and repairs ask for hours. A block range index costs next to nothing, and updates in place stay in place.
create index product_hour_by_hour on product_hour using brin (hour) with (pages_per_range = 16, autosummarize = on);

create table product_popularity (
  score_micros       bigint           not null,
  trending           double precision not null,
  view_count         bigint           not null,
  purchase_count     bigint           not null,
  favorite_count     bigint           not null,
  cart_count         bigint           not null,
  review_count       bigint           not null,
  search_count       bigint           not null default 0,
  search_click_count bigint           not null,
  last_interaction   timestamptz      not null,
  date_updated       timestamptz      not null,
  product_id         text collate "C" primary key
);
-- One index per mode, best first; ties by id, so that a page among thousands of equals is a range too. Whoever was never
-- viewed is not among the most viewed: leaving the zeros out keeps most products out of most indexes.
create index product_popularity_overall on product_popularity (score_micros desc, product_id);
create index product_popularity_trending on product_popularity (trending desc, product_id);
create index product_popularity_most_viewed on product_popularity (view_count desc, product_id) where view_count > 0;
create index product_popularity_most_carted on product_popularity (cart_count desc, product_id) where cart_count > 0;
create index product_popularity_most_ordered on product_popularity (purchase_count desc, product_id) where purchase_count > 0;
create index product_popularity_most_searched on product_popularity (search_click_count desc, search_count desc, product_id)
  where search_click_count > 0 or search_count > 0;
