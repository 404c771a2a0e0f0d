#!/bin/sh
# Starts one of several PostgreSQL servers as what it has to be, then runs COMMAND, which is postgres or what starts it:
#   PGDATA=… NODE=postgres-1 PEERS='postgres-2 postgres-3' REPLICATION_PASSWORD_FILE=… postgres.sh COMMAND...
# A peer is a host, or host:port. Asked are all peers:
#   One takes writes, and this server has no data: copies it, and is its standby.
#   One takes writes, and this server did: it was replaced. Takes back what the peer does not have (pg_rewind), and is its standby.
#   None takes writes: starts as it was; one that took writes waits while a peer is of a later timeline.
#   None takes writes, and this server has no data: waits; with FIRST=1, and when no peer answers, starts as the first primary.
# A standby follows the peer that takes writes. With REWIND=off a server that was replaced waits, so that its disk can be read.
set -eu
: "${PGDATA:?}" "${NODE:?}" "${PEERS:?}" "${REPLICATION_PASSWORD_FILE:?}"
PORT=${PGPORT:-5432}
# So long a server that took writes waits to hear from a peer.
HEAR_SECONDS=${HEAR_SECONDS:-20}
PGPASSWORD=$(cat "$REPLICATION_PASSWORD_FILE")
export PGPASSWORD PGCONNECT_TIMEOUT=2

port_of() { case $1 in *:*) echo "${1##*:}" ;; *) echo "$PORT" ;; esac; }
source_of() { echo "host=${1%:*} port=$(port_of "$1") user=footfall_replication dbname=postgres"; }
has_data() { [ -s "$PGDATA/PG_VERSION" ]; }
is_standby() { [ -e "$PGDATA/standby.signal" ]; }
# By the names of the log's files, because the last checkpoint may be older than the promotion.
timeline() { printf '%d' "0x$(ls "$PGDATA/pg_wal" | sed -nE 's/^([0-9A-F]{8})(\.history|[0-9A-F]{16})$/\1/p' | sort | tail -n 1)"; }
TIMELINE="select max(('x' || left(name, 8))::bit(32)::int) from pg_ls_dir('pg_wal', true, false) name where name ~ '^[0-9A-F]{8}(\.history|[0-9A-F]{16})\$'"

# Sets `primary` to the peer that takes writes, `ahead` to one of a later timeline, and `heard` when one answers.
ask_peers() {
  primary='' ahead='' heard=''
  own=$(has_data && timeline || echo 0)
  for peer in $PEERS; do
    answer=$(psql -XAtq "$(source_of "$peer")" -c "select pg_is_in_recovery(), ($TIMELINE)" 2>/dev/null) || continue
    heard=$peer
    case $answer in f*) primary=$peer ;; esac
    [ "${answer#*|}" -le "$own" ] || ahead=$peer
  done
}

# Writes where a standby looks for the server that takes writes. The password is in a file beside the data folder, so no backup has it.
# tcp_user_timeout, because a machine without power says nothing, and a standby ignores connect_timeout.
follow() {
  umask 077
  hosts='' ports=''
  for peer in $PEERS; do
    hosts="$hosts${hosts:+,}${peer%:*}" ports="$ports${ports:+,}$(port_of "$peer")"
  done
  echo "*:*:*:*:$PGPASSWORD" >"${PGDATA%/*}/replication.pgpass"
  sed -i '/^primary_conninfo/d' "$PGDATA/postgresql.auto.conf"
  echo "primary_conninfo = 'host=$hosts port=$ports user=footfall_replication application_name=$NODE passfile=${PGDATA%/*}/replication.pgpass target_session_attrs=read-write tcp_user_timeout=2000'" >>"$PGDATA/postgresql.auto.conf"
  : >"$PGDATA/standby.signal"
}

# A copy that was killed is of no use, and is begun again.
if [ -e "$PGDATA.copying" ]; then
  find "$PGDATA" -mindepth 1 -delete
fi

second=0
# Says once why it waits.
wait_for() {
  [ "$second" -gt 0 ] || echo "$NODE: $1" >&2
  second=$((second + 1))
  sleep 1
}

# E.g. because it was killed in the middle, or the peer has removed the log that this needs.
cannot_rewind() {
  echo "$NODE: cannot take back what $primary does not have, as the lines before say. An empty $PGDATA copies $primary" >&2
  exit 1
}

while :; do
  ask_peers
  if ! has_data; then
    if [ -n "$primary" ]; then
      echo "$NODE: copies $primary and becomes its standby"
      mkdir -p "$PGDATA" && chmod 700 "$PGDATA"
      : >"$PGDATA.copying"
      PGCONNECT_TIMEOUT=20 pg_basebackup -d "$(source_of "$primary")" -D "$PGDATA" -X stream -c fast
      follow
      rm "$PGDATA.copying"
      break
    fi
    [ -n "$heard" ] || [ "${FIRST:-}" != 1 ] || break
    wait_for "has no data, and waits until one of $PEERS takes writes"
  elif is_standby; then
    follow
    break
  elif [ -n "$primary" ] && [ "${REWIND:-on}" = on ]; then
    echo "$NODE: $primary takes writes now; becomes its standby"
    # A server that was killed must recover before it can be taken back. pg_rewind reads the log that this would otherwise remove.
    postgres --single -c wal_keep_size=1TB -D "$PGDATA" postgres </dev/null >/dev/null || cannot_rewind
    PGCONNECT_TIMEOUT=20 pg_rewind -D "$PGDATA" --source-server "$(source_of "$primary")" || cannot_rewind
    follow
    break
  elif [ -n "$primary" ]; then
    wait_for "$primary takes writes now, and REWIND is off: waits"
  elif [ -n "$ahead" ]; then
    wait_for "$ahead took writes after this server: waits until it is promoted"
  elif [ -z "$heard" ] && [ "$second" -lt "$HEAR_SECONDS" ]; then
    wait_for "waits $HEAR_SECONDS s to hear from one of $PEERS, which may take writes"
  else
    break
  fi
done
unset PGPASSWORD PGCONNECT_TIMEOUT
exec "$@"
