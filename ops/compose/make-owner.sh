#!/bin/sh
# Runs once, when the volume of PostgreSQL is new. Makes the role that migrates: it owns the database and may create roles, but is
# not a superuser. Makes the role that copies the database, which may read everything and change nothing. Takes from all other users what
# they need not have, because only a superuser can: the use of other databases, temporary tables, large objects, and the advisory locks,
# which the owner passes on to the endpoint.
set -eu
SECRETS=${SECRETS:-/run/secrets}
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set password="$(cat "$SECRETS/owner_password")" --set backup_password="$(cat "$SECRETS/backup_password")" \
  --set database="$POSTGRES_DB" <<'SQL'
set log_min_error_statement = panic;
create role footfall_owner login createrole password :'password';
create role footfall_backup login replication password :'backup_password';
grant pg_read_all_data to footfall_backup;
alter database :"database" owner to footfall_owner;
revoke temporary on database :"database" from public;
revoke connect, temporary on database postgres, template1 from public;
do $$ declare name regprocedure; begin
  for name in select oid from pg_proc where pronamespace = 'pg_catalog'::regnamespace
    and proname ~ '^pg_(try_)?advisory_|^lo_|^loread$|^lowrite$|^pg_logical_emit_message$'
  loop
    execute format('revoke execute on function %s from public', name);
    if name::text like '%advisory%' then execute format('grant execute on function %s to footfall_owner with grant option', name); end if;
  end loop;
end $$;
SQL
