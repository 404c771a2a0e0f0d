-- A refused interaction can be sent again: when that was, and the batch that it became, which says what became of it.
alter table rejected_interaction
  add column replayed_at     timestamptz,
  add column replay_batch_id bigint references interaction_batch,
  add constraint rejected_interaction_replay check ((replayed_at is null) = (replay_batch_id is null));

-- Those that wait for somebody, newest or oldest first, however many were replayed.
create index rejected_interaction_open on rejected_interaction (batch_id, index) where replayed_at is null;
