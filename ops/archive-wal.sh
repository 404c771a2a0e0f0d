#!/bin/sh
# archive_command = 'sh archive-wal.sh "%p" FOLDER': compresses a file of PostgreSQL's write-ahead log into FOLDER. It succeeds only when the
# whole file is on the disk. The same file again is a success, and another one with its name a failure, which PostgreSQL logs and tries again.
set -eu
file=$1
target=$2/$(basename "$file").gz
if [ -e "$target" ]; then
  gzip -dc "$target" | cmp -s - "$file"
  exit
fi
umask 077
gzip -1 -n -c "$file" > "$target.partial"
sync "$target.partial"
mv "$target.partial" "$target"
sync "$2"
