-- works since 0016
-- When an event was sent, by its sender's clock; null when the sender does not say. A column and not a key of metadata, because metadata
-- belongs to the sender and searches have none. It adds nothing to rows without it, and PostgreSQL rewrites no partition.
alter table interaction add column sent_at timestamptz;
alter table search add column sent_at timestamptz;
