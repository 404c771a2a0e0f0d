-- A mirror of the shop's catalogue: what each product is now, for lists to leave out and to filter by.
create schema catalog;

-- One row per product, its newest version. Of two with the same updated_at the one with the larger JSON text is the newer.
create table catalog.product (
  updated_at timestamptz not null,
  price      bigint,
  quantity   bigint,
  -- The call that brought this version: a repeated attempt of it finds its own rows and gives the first answer again.
  call_id    uuid        not null,
  product_id text collate "C" primary key,
  status     text collate "C" not null check (status in ('active', 'hidden', 'deleted')),
  name       text collate "C" not null,
  seller_id  text collate "C",
  category   text collate "C",
  brand      text collate "C",
  currency   text collate "C",
  -- In minor units of the currency, such as cents.
  check (price >= 0),
  check (quantity >= 0),
  check ((price is null) = (currency is null))
);
create index product_by_category on catalog.product (category, product_id) where status = 'active';
-- Lists ask for each of their products whether it is in here. Most shops hide or delete few of theirs.
create index product_unlisted on catalog.product (product_id) where status <> 'active';

-- What the catalogue said when the event was recorded. Without a value they take no space.
alter table interaction
  add column category text collate "C",
  add column brand    text collate "C";
