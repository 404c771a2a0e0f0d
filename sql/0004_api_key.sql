-- Who may call the gateway. Of a key's secret only the hash is kept: it is 256 random bits, so one round of SHA-256 does.
-- Keys are revoked and never deleted, because whoever once made a key does not mean to let everybody in again.
create table api_key (
  key_id              text collate "C" primary key,
  name                text        not null,
  secret_sha256       bytea       not null,
  scopes              text[]      not null check (scopes <@ array['ingest', 'read', 'manage'] and cardinality(scopes) > 0),
  -- May be read by everybody, in the source of a web page: it can only send events, from pages of these origins.
  is_publishable      boolean     not null,
  origins             text[]      not null,
  -- What the key sees is this seller's alone.
  seller_id           text,
  requests_per_minute integer     check (requests_per_minute > 0),
  created_at          timestamptz not null default now(),
  revoked_at          timestamptz,
  check (not is_publishable or (scopes = array['ingest'] and seller_id is null)),
  check (is_publishable or cardinality(origins) = 0)
);
