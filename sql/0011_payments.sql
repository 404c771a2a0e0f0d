-- works since 0010
-- Money: what payment providers told, what it comes to per sold item, and what each seller earned per day.

-- Systems whose events are kept. A provider of payments is one.
create table event_source (
  source_id     integer generated always as identity primary key,
  is_active     boolean     not null default true,
  created_at    timestamptz not null default now(),
  slug          text collate "C" not null unique,
  provider_name text,
  description   text
);

-- What a source told of one of its operations: a table of the log, partitioned by month like `interaction`.
create table analytics_event (
  occurred_at   timestamptz not null,
  amount        bigint,
  source_id     integer     not null,
  processing_ms integer,
  external_ref  text collate "C" not null,
  entity_id     text collate "C" not null,
  status        text collate "C" not null,
  currency      text collate "C",
  payload       jsonb,
  primary key (occurred_at, source_id, external_ref),
  check (status in ('success', 'failed', 'pending')),
  check (processing_ms >= 0),
  check ((amount is null) = (currency is null))
) partition by range (occurred_at);

-- An event is recorded once per source and reference, for ever: the key of a partitioned table cannot say that.
create table analytics_event_key (
  source_id    integer not null,
  external_ref text collate "C" not null,
  primary key (source_id, external_ref)
);

-- Every callback of a payment provider once. What was sold and taken back follows from these rows alone, in whatever order they came.
create table payment_callback (
  callback_no bigint generated always as identity unique,
  received_at timestamptz not null default now(),
  occurred_at timestamptz not null,
  -- The call that brought it, and its place there: a repeated attempt of the call finds its own and gives the first answer again.
  call_id     uuid        not null,
  call_index  integer     not null,
  provider    text collate "C" not null,
  callback_id text collate "C" not null,
  payment_ref text collate "C" not null,
  order_id    text collate "C" not null,
  status      text collate "C" not null,
  currency    text collate "C" not null,
  account_id  text collate "C",
  session_id  text collate "C",
  -- [{product_id, seller_id, quantity, unit_price}]; a seller that was not given is the one that the catalogue named then.
  items       jsonb       not null,
  -- What of it could not be taken back: [{field, message}].
  refused     jsonb       not null default '[]',
  primary key (provider, callback_id),
  check (status in ('pending', 'success', 'failed', 'refunded', 'cancelled'))
);
create index payment_callback_by_payment on payment_callback (provider, payment_ref);
create index payment_callback_paid on payment_callback (order_id) where status = 'success';

-- What was sold, and, negative, what was taken back: lines are added and never changed. The callbacks are there in the same
-- transaction; foreign keys would lock each of them, half of what adding lines costs.
create table sale_line (
  sale_line_id bigint generated always as identity primary key,
  occurred_at  timestamptz not null,
  -- The callback that it is from, and that of the sale, which tells the order.
  callback_no  bigint      not null,
  sale_no      bigint      not null,
  -- In minor units of the currency.
  amount       bigint      not null,
  -- Items.
  quantity     integer     not null,
  -- 1 on the first line of a seller in an order, -1 on the one that takes the last of it back.
  orders       smallint    not null,
  -- The place of the item in the sale.
  item         smallint    not null,
  currency     text collate "C" not null,
  -- Null when neither the callback nor the catalogue named one.
  seller_id    text collate "C",
  product_id   text collate "C" not null
);
-- A dashboard reads the lines of a seller and a range from this index alone.
create index sale_line_by_seller on sale_line (seller_id, currency, occurred_at) include (product_id, amount, quantity, orders);
create index sale_line_by_callback on sale_line (callback_no);

-- The lines of a seller and currency, added up per UTC day.
create table seller_day (
  revenue   bigint  not null,
  items     bigint  not null,
  day       date    not null,
  orders    integer not null,
  seller_id text collate "C" not null,
  currency  text collate "C" not null,
  primary key (seller_id, currency, day)
);

-- What is open at a seller now: items of payments that are pending, and refunds that wait for their payment.
create table seller_pending (
  items     bigint not null,
  refunds   bigint not null,
  seller_id text collate "C" primary key
);

create index product_by_seller on catalog.product (seller_id, product_id);

-- The stars of every rating event, for a seller's products: the log is ordered by time, and has too much between them.
create table product_rating (
  occurred_at timestamptz not null,
  event_id    uuid        not null,
  -- 1 to 5: metadata.rating, or the middle of what the type stands for.
  stars       real        not null,
  product_id  text collate "C" not null,
  primary key (product_id, occurred_at, event_id)
);

create function stars_of(event_type text, metadata jsonb) returns real language sql immutable parallel safe as $$
  select case
    when jsonb_typeof(metadata -> 'rating') = 'number' and (metadata ->> 'rating')::numeric between 1 and 5
      then (metadata ->> 'rating')::real
    when event_type = 'rating_low' then 1.5
    when event_type = 'rating_medium' then 3
    when event_type = 'rating_high' then 4.5
  end
$$;

-- A trigger, because the release before records beside this one for a while. Its rights are those of the owner: that release may
-- not write here.
create function keep_rating() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  insert into product_rating (product_id, occurred_at, event_id, stars)
  values (new.ref_id, new.occurred_at, new.event_id, stars_of(new.event_type, new.metadata))
  on conflict do nothing;
  return null;
end $$;
revoke execute on function keep_rating() from public;

-- Whoever records waits for the trigger, and not for the reading of the log: it is read before, and then what came meanwhile, by
-- the batches that are newer than this. Nothing that is recorded takes longer than a few minutes.
insert into product_rating (product_id, occurred_at, event_id, stars)
select ref_id, occurred_at, event_id, stars_of(event_type, metadata) from interaction
where event_type in ('rating_low', 'rating_medium', 'rating_high') and not is_category;

create trigger interaction_rating after insert on interaction for each row
  when (new.event_type in ('rating_low', 'rating_medium', 'rating_high') and not new.is_category)
  execute function keep_rating();

insert into product_rating (product_id, occurred_at, event_id, stars)
select i.ref_id, i.occurred_at, i.event_id, stars_of(i.event_type, i.metadata)
from (select batch_id from interaction_batch where received_at > now() - interval '10 minutes' offset 0) b
  cross join lateral (select * from interaction i where i.batch_id = b.batch_id offset 0) i
where i.event_type in ('rating_low', 'rating_medium', 'rating_high') and not i.is_category
on conflict do nothing;

-- A callback that was refused is kept like a refused interaction. After the trigger: who records holds the one table and waits for the other.
alter table rejected_interaction add column is_payment boolean not null default false;
