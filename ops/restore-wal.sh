#!/bin/sh
# restore_command = 'sh restore-wal.sh "%f" "%p" FOLDER…': brings a file of the write-ahead log from the first folder that has it, compressed or
# not. The exit status 1 says that none has it, which ends the replay; a file that cannot be read must not look like that, so it stops PostgreSQL.
set -u
name=$1
target=$2
shift 2
for folder in "$@"; do
  if [ -e "$folder/$name.gz" ]; then
    gzip -dc "$folder/$name.gz" > "$target" && exit 0
    exit 200
  elif [ -e "$folder/$name" ]; then
    cp "$folder/$name" "$target" && exit 0
    exit 200
  fi
done
exit 1
