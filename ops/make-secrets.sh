#!/bin/sh
# Makes the secrets that docker-compose.yml gives to its services, in ./secrets. Those that are there already stay.
set -eu
cd "$(dirname "$0")/.."
umask 077
mkdir -p secrets
chmod 700 secrets
# The folder keeps others out; the users of the containers must read what is mounted from it.
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
make api_key api_key
make manage_key api_key
make payment_secret password
# The public half is of the private one that is there.
[ -s secrets/restate_identity_key ] || rm -f secrets/restate_identity_public_key
make restate_identity_key identity_key
make restate_identity_public_key identity_public_key
echo "The secrets are in $(pwd)/secrets."
