-- works since 0034
-- Which months are archived, and who exported what is kept about a person: for the page of operators, which reads no archive.

create table archived_month (
  -- When the archive was first found to have what the month had.
  archived_at timestamptz not null default now(),
  rows        bigint      not null,
  bytes       bigint      not null,
  parts       integer     not null,
  table_name  text        collate "C" not null,
  month       text        collate "C" not null,
  -- The folder, or the bucket with its prefix.
  place       text        not null,
  primary key (month, table_name)
);

-- It names no shopper, because it stays.
create table person_export (
  export_id    uuid        primary key,
  started_at   timestamptz not null default now(),
  finished_at  timestamptz,
  -- What was sent; null until its end.
  rows         bigint,
  -- One that stays 'started' was interrupted with its gateway.
  status       text collate "C" not null check (status in ('started', 'completed', 'cut_off')),
  actor        text        not null,
  requested_by text,
  check ((finished_at is not null) = (status <> 'started'))
);
create index person_export_newest on person_export (started_at desc, export_id desc);

-- Sessions are deleted by it. The table has a row for each signing in of the last five weeks.
create index session_expires on access.session (expires_at);

-- Roles that feed profiles or read them may do the same with the new tables at once, so that no process waits for migrate --role.
do $$
declare
  role_name text;
begin
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'shopper_product'::regclass and a.privilege_type = 'SELECT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant select on archived_month, person_export to %s', role_name);
  end loop;
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'shopper_product'::regclass and a.privilege_type = 'INSERT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant insert, update on archived_month, person_export to %s', role_name);
  end loop;
end $$;
