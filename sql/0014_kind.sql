-- works since 0013
-- The kind of event as a word. Null means what the booleans say, because the release before this one writes only those; this one
-- writes both, and the first migration of the release after it removes the booleans.
alter table interaction_batch add column kind text;
alter table rejected_interaction add column kind text;
