-- works since 0034
-- Replays of all rejected events of one code: one run at a time for each code.
create table replay_run (
  run_id         uuid        primary key,
  requested_at   timestamptz not null default now(),
  started_at     timestamptz,
  finished_at    timestamptz,
  -- When it last did something.
  active_at      timestamptz not null default now(),
  -- It replays the events after this one, and none that were rejected after it began.
  after_batch_id bigint      not null default 0,
  last_batch_id  bigint,
  after_index    integer     not null default -1,
  last_index     integer,
  -- Events that were to be replayed when it began, and what became of those that it has seen.
  total          integer     not null default 0,
  accepted       integer     not null default 0,
  duplicates     integer     not null default 0,
  rejected       integer     not null default 0,
  skipped        integer     not null default 0,
  status         text collate "C" not null check (status in ('pending', 'running', 'completed', 'failed', 'cancelled')),
  code           text        not null,
  actor          text        not null,
  requested_by   text,
  error_message  text,
  -- The fields that are corrected in each event, as JSON text; null when the run has ended, because they may name a person.
  correction     text,
  check ((finished_at is not null) = (status in ('completed', 'failed', 'cancelled'))),
  check (correction is null or finished_at is null)
);
create unique index replay_run_open on replay_run (code) where status in ('pending', 'running');
create index replay_run_newest on replay_run (requested_at desc, run_id desc);

-- Roles that feed profiles or read them may do the same with the new table at once, so that no process waits for migrate --role.
do $$
declare
  role_name text;
begin
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'shopper_product'::regclass and a.privilege_type = 'SELECT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant select on replay_run to %s', role_name);
  end loop;
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'shopper_product'::regclass and a.privilege_type = 'INSERT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant insert, update on replay_run to %s', role_name);
  end loop;
end $$;
