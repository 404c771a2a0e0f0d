-- works since 0034
-- What a comparison with Restate needs: a trace of every call that Restate has completed, and the timeline that PostgreSQL was on.

-- A call that has no batch of its own: callbacks, analytics events, products, impressions, merges, erasures, keys and commands. Written in the
-- transaction of what the call changes, or after it.
create table recorded_call (
  recorded_at   timestamptz not null default now(),
  invocation_id text collate "C" not null,
  body_sha256   bytea       not null,
  primary key (invocation_id, body_sha256)
);
create index recorded_call_by_time on recorded_call (recorded_at);

-- The server that an operator knows about. After a failover or a restore it is another one, or on another timeline, and commits may be lost.
create table database_timeline (
  acknowledged_at   timestamptz not null default now(),
  -- When it was first seen that PostgreSQL is on another timeline, or went back; null when an operator knows about all of it.
  noticed_at        timestamptz,
  -- The last comparison since then, and when the lost calls were completed.
  compared_at       timestamptz,
  lost_from         timestamptz,
  lost_to           timestamptz,
  singleton         boolean     primary key default true check (singleton),
  timeline          integer     not null,
  lost_calls        integer,
  system_identifier text collate "C" not null,
  -- The number of lost calls by handler.
  lost_by_handler   jsonb
);
insert into database_timeline (timeline, system_identifier)
  select ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer, system_identifier::text from pg_control_system();

-- Roles that read and feed profiles may do the same with the new tables at once, so that no process waits for migrate --role.
do $$
declare
  role_name text;
begin
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'shopper_product'::regclass and a.privilege_type = 'SELECT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant select on recorded_call, database_timeline to %s', role_name);
  end loop;
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'shopper_product'::regclass and a.privilege_type = 'INSERT' and a.grantee not in (c.relowner, 0)
  loop
    -- A row lock needs the right to update some column.
    execute format('grant insert, update (recorded_at), delete on recorded_call to %s', role_name);
    execute format('grant update (noticed_at, compared_at, lost_from, lost_to, lost_calls, lost_by_handler) on database_timeline to %s', role_name);
  end loop;
end $$;
