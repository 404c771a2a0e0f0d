#!/bin/sh
# Writes the digests of the images of docker-compose.yml and docker-compose.cluster.yml into .env, so that each start uses exactly these
# images. Run it again for newer ones. It pulls the images from their registries: check what they are before you trust their digests.
set -eu
cd "$(dirname "$0")/.."
touch .env
pin() {
  docker pull --quiet "$2" >/dev/null
  digest=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$2" | sed -n 's/.*@//p' | head -n 1)
  [ -n "$digest" ] || { echo "$2 has no digest: it was built here." >&2 && exit 1; }
  grep -v "^$1=" .env >.env.new || true
  echo "$1=$2@$digest" >>.env.new
  mv .env.new .env
  echo "$1=$2@$digest"
}

pin POSTGRES_IMAGE postgres:18
pin RESTATE_IMAGE restatedev/restate:1.7
pin NODE_IMAGE node:24-bookworm-slim
pin PROMETHEUS_IMAGE prom/prometheus:v3.8.0
pin GRAFANA_IMAGE grafana/grafana:12.3.0
pin HAPROXY_IMAGE haproxy:3.2
