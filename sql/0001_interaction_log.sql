-- The log: every interaction once, and the batches in which they came.
-- Ids are compared byte by byte (collation C): equal on every machine, and cheaper to sort than a language's order.

-- Partitioned by month of occurred_at, so that a month can be dropped whole. There is no default partition: a row of a
-- month that has none is refused by PostgreSQL, and the store makes the partition and repeats.
create table interaction (
  occurred_at    timestamptz not null,
  batch_id       bigint      not null,
  account_number bigint,
  event_id       uuid        not null,
  -- What ref_id names: a category, or a product. A byte; the name as a text would be nine.
  is_category    boolean     not null,
  event_type     text collate "C" not null,
  ref_id         text collate "C" not null,
  account_id     text collate "C",
  session_id     text collate "C",
  ip_address     inet,
  user_agent     text,
  metadata       jsonb,
  primary key (occurred_at, event_id)
) partition by range (occurred_at);

-- Counting reads a batch's rows: through this index it never scans the months between a late event and a fresh one.
create index interaction_by_batch on interaction (batch_id);

-- One row per call of CreateInteraction. The call is the invocation and its body: an idempotency key that is used again
-- after its retention gives the same invocation id to another body.
create table interaction_batch (
  batch_id      bigint generated always as identity primary key,
  received_at   timestamptz not null default now(),
  occurred_from timestamptz not null,
  occurred_to   timestamptz not null,
  scored_at     timestamptz,
  fed_at        timestamptz,
  events        integer     not null,
  body_sha256   bytea       not null,
  invocation_id text collate "C" not null,
  unique (invocation_id, body_sha256)
);
create index interaction_batch_unscored on interaction_batch (batch_id) where scored_at is null;
create index interaction_batch_unfed on interaction_batch (batch_id) where fed_at is null;

-- What was refused, and why, as JSON text: jsonb would refuse some of it again.
create table rejected_interaction (
  batch_id bigint  not null references interaction_batch,
  index    integer not null,
  code     text    not null,
  field    text,
  message  text    not null,
  item     text    not null,
  primary key (batch_id, index)
);

-- Events before the horizon are not accepted. It only moves forward.
create table log_horizon (
  singleton boolean primary key default true check (singleton),
  horizon   timestamptz not null
);
insert into log_horizon (horizon) values ('2000-01-01 00:00:00+00');

create function refuse_to_move_back() returns trigger language plpgsql as $$
begin
  if new.horizon < old.horizon then
    raise exception 'the horizon moves forward only: % is before %', new.horizon, old.horizon;
  end if;
  return new;
end $$;
create trigger log_horizon_moves_forward before update on log_horizon for each row execute function refuse_to_move_back();
