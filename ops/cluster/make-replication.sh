#!/bin/sh
# Runs once, when the first PostgreSQL is new: makes the user of the standbys, which may also take back a server that was replaced (pg_rewind).
set -eu
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  --set password="$(cat "${REPLICATION_PASSWORD_FILE:-/run/secrets/replication_password}")" <<'SQL'
set log_min_error_statement = panic;
create role footfall_replication login replication password :'password';
grant connect on database postgres to footfall_replication;
grant execute on function pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean), pg_read_binary_file(text),
  pg_read_binary_file(text, bigint, bigint, boolean) to footfall_replication;
SQL
echo 'host replication footfall_replication all scram-sha-256' >>"$PGDATA/pg_hba.conf"
