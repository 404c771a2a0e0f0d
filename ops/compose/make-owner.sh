#!/bin/sh
# Runs once, when the volume of PostgreSQL is new. Makes the role that migrates: it owns the database and may create roles, but is
# not a superuser.
set -eu
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set password="$(cat /run/secrets/owner_password)" --set database="$POSTGRES_DB" <<'SQL'
set log_min_error_statement = panic;
create role footfall_owner login createrole password :'password';
alter database :"database" owner to footfall_owner;
SQL
