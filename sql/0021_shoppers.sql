-- works since 0016
-- What each shopper did last, and which sessions belong to which account.

-- The newest events of a shopper in the log's batches that are fed; 100 of them, by occurred_at and event_id.
create table shopper_recent (
  occurred_at timestamptz not null,
  event_id    uuid        not null,
  shopper_id  text collate "C" not null,
  product_id  text collate "C" not null,
  event_type  text collate "C" not null,
  category    text collate "C",
  brand       text collate "C",
  primary key (shopper_id, occurred_at, event_id)
);

-- A session that signed in. It belongs to the first account that it was merged into, for ever. Rows of other tables keep the session's
-- id, and reads of an account add its sessions.
create table shopper_redirect (
  merged_at  timestamptz not null default now(),
  session_id text collate "C" primary key,
  account_id text collate "C" not null
);
create index shopper_redirect_by_account on shopper_redirect (account_id, merged_at desc);
