-- works since 0030
-- Records of Kafka: how far each partition was read, and the records that break the contract.

-- The transaction that stores what records bring moves next_offset, so a record is stored once.
create table kafka_offset (
  next_offset bigint      not null check (next_offset >= 0),
  moved_at    timestamptz not null default now(),
  partition   integer     not null check (partition >= 0),
  topic       text collate "C" not null,
  primary key (topic, partition)
);

-- The rejected events that came as records, with their bytes. A record is kept once: its batch has its position as the call. Of a record that was
-- cut, key and value are beginnings. Nothing is left of a record of a person who was erased, and its text is no JSON.
create view rejected_event as
select item ->> 'topic' as topic, (item ->> 'partition')::integer as partition, (item ->> 'offset')::bigint as "offset", index,
  coalesce(convert_to(item ->> 'key', 'UTF8'), decode(item ->> 'key_base64', 'base64')) as key,
  coalesce(convert_to(item ->> 'value', 'UTF8'), decode(item ->> 'value_base64', 'base64')) as value,
  item -> 'headers' as headers, code, field, message as reason, batch_id, received_at, replayed_at,
  cut_from_bytes
from (
  select case when r.item is json object then r.item::json end as item, r.index, r.code, r.field, r.message, r.batch_id, b.received_at,
    r.replayed_at, r.cut_from_bytes
  from rejected_interaction r join interaction_batch b on b.batch_id = r.batch_id
  where r.kind = 'record' and r.item is json object
) rejected;
