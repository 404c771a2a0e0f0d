-- works since 0016
-- Runs of the proof, each with what it found.

create table verification_run (
  run_id           uuid        primary key,
  requested_at     timestamptz not null default now(),
  started_at       timestamptz,
  finished_at      timestamptz,
  -- When it last did something.
  active_at        timestamptz not null default now(),
  -- What it compared, once it has completed.
  cells            bigint,
  drift_count      bigint,
  -- Parts of the proof; the total is known once it begins.
  done             integer     not null default 0,
  total            integer     not null default 0,
  status           text collate "C" not null check (status in ('pending', 'running', 'completed', 'failed', 'cancelled')),
  -- The part that it compares.
  step             text,
  actor            text not null,
  requested_by     text,
  error_message    text,
  -- The whole answer, with at most 100 cells that differ, and without what names a shopper.
  result           jsonb,
  check ((finished_at is not null) = (status in ('completed', 'failed', 'cancelled'))),
  check ((result is not null and cells is not null and drift_count is not null) = (status = 'completed'))
);
-- At most one run is open.
create unique index verification_run_open on verification_run ((true)) where status in ('pending', 'running');
create index verification_run_newest on verification_run (requested_at, run_id);

-- Roles that feed profiles or read them may do the same with the new table at once, so that no process waits for migrate --role.
do $$
declare
  role_name text;
begin
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'shopper_product'::regclass and a.privilege_type = 'SELECT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant select on verification_run to %s', role_name);
  end loop;
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'shopper_product'::regclass and a.privilege_type = 'INSERT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant insert, update on verification_run to %s', role_name);
  end loop;
end $$;
