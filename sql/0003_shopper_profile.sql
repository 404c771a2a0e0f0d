-- What each shopper did with each product: account:<id>, or session:<id> for an event without an account.
create table shopper_product (
  last_at    timestamptz not null,
  events     integer     not null,
  shopper_id text collate "C" not null,
  product_id text collate "C" not null,
  event_type text collate "C" not null,
  primary key (shopper_id, product_id, event_type)
);
