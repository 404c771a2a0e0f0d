#!/bin/sh
# Makes the secrets for the services of docker-compose.yml in ./secrets. Existing ones stay.
set -eu
cd "$(dirname "$0")/.."
umask 077
mkdir -p secrets
chmod 700 secrets
# The mode of the folder keeps other users out. The files are readable, because the users of the containers read the mounted files.
make() {
  [ -s "secrets/$1" ] || { "$2" >"secrets/.new" && mv secrets/.new "secrets/$1"; }
  chmod 644 "secrets/$1"
}
password() { openssl rand -hex 24; }
api_key() { id=$(openssl rand -hex 6) && key=$(openssl rand -hex 32) && echo "ff_${id}_$key"; }
identity_key() { openssl genpkey -algorithm ed25519; }
identity_public_key() { openssl pkey -in secrets/restate_identity_key -pubout; }

make postgres_password password
make owner_password password
make endpoint_password password
make gateway_password password
make consumer_password password
make replication_password password
make backup_password password
make api_key api_key
make manage_key api_key
make payment_secret password
make operator_token password
make erasure_key password
# A new private key needs a new public half.
[ -s secrets/restate_identity_key ] || rm -f secrets/restate_identity_public_key
make restate_identity_key identity_key
make restate_identity_public_key identity_public_key
# The consumer of Kafka has them in its container. They are yours to fill.
for name in kafka_password kafka_ca; do
  [ -e "secrets/$name" ] || : >"secrets/$name"
  chmod 644 "secrets/$name"
done
echo "The secrets are in $(pwd)/secrets."
