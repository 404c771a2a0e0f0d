-- works since 0011
-- Reports over analytics events: what there is, their snapshots per bucket, and the runs that made them.

create table report_definition (
  slug              text collate "C" primary key,
  name              text    not null,
  description       text    not null,
  -- How long an answer of the report may be kept.
  cache_ttl_seconds integer not null check (cache_ttl_seconds >= 0),
  default_window    text collate "C" not null,
  supported_filters text[]  not null
);

-- The buckets that a report is kept in.
create table aggregate_window (
  report_slug              text collate "C" not null references report_definition,
  bucket_window            text collate "C" not null check (bucket_window in ('day', 'week')),
  -- Buckets that ended longer ago are dropped.
  retention_days           integer not null check (retention_days > 0),
  refresh_interval_minutes integer not null check (refresh_interval_minutes > 0),
  primary key (report_slug, bucket_window)
);

insert into report_definition (slug, name, description, cache_ttl_seconds, default_window, supported_filters) values
  ('volume-by-period', 'Volume by period', 'How many events there were, what they came to, and how long they took.', 60, 'day', '{source}'),
  ('status-counts', 'Status counts', 'How many events succeeded, failed, and are pending.', 60, 'day', '{status}'),
  ('top-entities', 'Top entities', 'The entities with the most events.', 60, 'day', '{}');
insert into aggregate_window (report_slug, bucket_window, retention_days, refresh_interval_minutes)
select slug, w.name, w.retention_days, w.refresh_interval_minutes
from report_definition cross join (values ('day', 1100, 60), ('week', 3660, 360)) w (name, retention_days, refresh_interval_minutes);

-- One row per recomputation of a report's buckets. pending → running → completed | failed | cancelled; pending → cancelled | failed.
create table recompute_run (
  run_id        uuid primary key,
  kind          text collate "C" not null check (kind in ('requested', 'refresh', 'scheduled')),
  report_slug   text collate "C" not null,
  bucket_window text collate "C" not null,
  -- As asked for, and widened to whole buckets; the last days are part of them.
  date_from     date not null,
  date_to       date not null,
  bucket_from   date not null,
  bucket_to     date not null,
  -- Who did it, and who he says it is for.
  actor         text not null,
  requested_by  text,
  status        text collate "C" not null check (status in ('pending', 'running', 'completed', 'failed', 'cancelled')),
  -- Buckets.
  done          integer not null default 0,
  total         integer not null,
  requested_at  timestamptz not null default now(),
  started_at    timestamptz,
  finished_at   timestamptz,
  -- When it last did something: one that does nothing for long was killed.
  active_at     timestamptz not null default now(),
  error_message text,
  rows_deleted  bigint not null default 0,
  rows_inserted bigint not null default 0,
  check ((finished_at is not null) = (status in ('completed', 'failed', 'cancelled')))
);
-- Of the same scope one is open: who inserts second learns of the first.
create unique index recompute_run_open on recompute_run (report_slug, bucket_window, bucket_from, bucket_to)
  where status in ('pending', 'running');
create index recompute_run_newest on recompute_run (requested_at desc, run_id);

-- A bucket that was built, with events or without: the answer of a report is complete when each of its buckets is here and not dirty.
create table report_bucket (
  bucket        date not null,
  built_at      timestamptz not null,
  run_id        uuid not null,
  report_slug   text collate "C" not null,
  bucket_window text collate "C" not null,
  primary key (report_slug, bucket_window, bucket)
);

-- A number of a bucket: of all its events (dimension_key null), or of those of a source, a status or an entity.
create table metric_snapshot (
  value           bigint not null,
  bucket          date   not null,
  run_id          uuid   not null,
  report_slug     text collate "C" not null,
  bucket_window   text collate "C" not null,
  dimension_key   text collate "C",
  -- event_count, processing_ms_count, processing_ms_sum, processing_ms_max, or amount:<currency> in minor units.
  metric          text collate "C" not null,
  dimension_value text collate "C",
  -- In this order one number of a range of buckets is read from neighbours in the index alone, and a bucket is found by a few probes.
  unique nulls not distinct (report_slug, bucket_window, dimension_key, metric, bucket, dimension_value) include (value)
);

-- All numbers of one entity, of which there are many.
create index metric_snapshot_by_entity on metric_snapshot (report_slug, bucket_window, dimension_value, bucket)
  include (metric, value) where dimension_key = 'entity';

-- A day that got events since its buckets were built. Marks are added and deleted, never changed: who rebuilds deletes those that he has read.
create table dirty_mark (
  mark_id       bigint generated always as identity primary key,
  marked_at     timestamptz not null default now(),
  day           date not null,
  report_slug   text collate "C" not null,
  bucket_window text collate "C" not null
);
create index dirty_mark_by_scope on dirty_mark (report_slug, bucket_window, day);

-- The call that recorded an event, and its place there: a repeated attempt of the call finds its own and gives the first answer again.
-- Null for those of payments.
alter table analytics_event_key add column call_id uuid, add column call_index integer;

create index audit_entry_newest on audit_entry (at desc, audit_id desc);
