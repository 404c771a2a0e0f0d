-- works since 0014
-- The size of a rejected event of which only the beginning is kept, as text; null for an event that is kept whole.
alter table rejected_interaction add column cut_from_bytes integer;
