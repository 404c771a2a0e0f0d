-- works since 0016
-- Keys made over REST, and sessions of the page. The gateway cannot write, and the endpoint must not make itself a key: the gateway signs each
-- change with a secret that the endpoint cannot read, and a function with the rights of its owner makes the change.

alter table api_key add column last_used_at timestamptz;

-- The gateway reads it. The endpoint has no rights here, not even by a release before, which grants what is in the other schemas.
create schema access;

create table access.signing_key (
  singleton boolean primary key default true check (singleton),
  secret    bytea   not null check (length(secret) = 32)
);
insert into access.signing_key (secret)
  select sha256(convert_to(string_agg(gen_random_uuid()::text, ''), 'UTF8')) from generate_series(1, 4);

-- A browser that signed in with a key, or with a token of a seller.
create table access.session (
  created_at timestamptz not null default now(),
  -- Written at most once a minute.
  seen_at    timestamptz not null default now(),
  expires_at timestamptz not null,
  ended_at   timestamptz,
  session_id uuid        primary key,
  -- Of what the cookie has.
  id_sha256  bytea       not null unique,
  key_id     text collate "C",
  seller_id  text collate "C",
  check ((key_id is null) <> (seller_id is null))
);
create index session_of_key on access.session (key_id, seller_id, seen_at) where ended_at is null;

-- HMAC-SHA256 (RFC 2104) of a text with a secret of 32 bytes.
create function access.hmac(secret bytea, message text) returns bytea
language plpgsql immutable set search_path = pg_catalog, pg_temp
as $$
declare
  inner_pad bytea := decode(repeat('36', 64), 'hex');
  outer_pad bytea := decode(repeat('5c', 64), 'hex');
begin
  for place in 0..31 loop
    inner_pad := set_byte(inner_pad, place, get_byte(secret, place) # 54);
    outer_pad := set_byte(outer_pad, place, get_byte(secret, place) # 92);
  end loop;
  return sha256(outer_pad || sha256(inner_pad || convert_to(message, 'UTF8')));
end
$$;

create function access.refused(code text, message text) returns jsonb language sql immutable set search_path = pg_catalog, pg_temp
begin atomic
  select jsonb_build_object('refused', code, 'message', message);
end;

create function access.done(id text, done_at timestamptz, is_new boolean) returns jsonb language sql stable set search_path = pg_catalog, pg_temp
begin atomic
  select jsonb_build_object('id', id, 'at', to_char(done_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'is_new', is_new);
end;

create function access.note(actor text, action text, resource_type text, resource_id text, metadata jsonb) returns void
language sql set search_path = pg_catalog, pg_temp
begin atomic
  insert into public.audit_entry (actor, action, resource_type, resource_id, metadata)
  values (actor, action, resource_type, resource_id, jsonb_strip_nulls(metadata));
end;

-- Makes a key with no scope that its maker lacks; `maker` is null for this machine, which makes the first key.
create function access.create_key(asked jsonb, actor text, maker public.api_key) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
  secret_sha256 bytea := decode(asked ->> 'secret_sha256', 'hex');
  wanted public.api_key;
  stored public.api_key;
begin
  -- Two calls cannot both make the first key.
  lock table public.api_key in share row exclusive mode;
  select * into stored from public.api_key k where k.key_id = asked ->> 'key_id';
  if found then
    if stored.secret_sha256 <> secret_sha256 then return access.refused('conflict', 'there is a key with this id'); end if;
    return access.done(stored.key_id, stored.created_at, false);
  end if;
  if maker.key_id is null and exists (select from public.api_key) then
    return access.refused('forbidden', 'there is a key: only a key with the scope manage makes another one');
  end if;
  if (select count(*) from public.api_key) >= 10000 then return access.refused('conflict', 'there are 10000 keys'); end if;
  wanted := jsonb_populate_record(null::public.api_key, asked - 'secret_sha256');
  if maker.key_id is not null and not wanted.scopes <@ maker.scopes then
    return access.refused('forbidden', 'a key gives no scope that it lacks');
  end if;
  if wanted.name in ('footfall', 'local', 'unknown') then
    return access.refused('invalid_request', 'audit entries use this name for callers without a key');
  end if;
  if wanted.seller_id is not null and wanted.scopes <> array['read'] then
    return access.refused('invalid_request', 'the key of a seller only reads');
  end if;
  insert into public.api_key (key_id, name, secret_sha256, scopes, is_publishable, origins, seller_id, requests_per_minute)
  values (wanted.key_id, wanted.name, secret_sha256, wanted.scopes, wanted.is_publishable, wanted.origins, wanted.seller_id,
    -- A rate that its maker has bounds the new key too.
    least(wanted.requests_per_minute, maker.requests_per_minute))
  returning * into stored;
  perform access.note(actor, 'key.create', 'key', stored.key_id,
    jsonb_build_object('name', stored.name, 'scopes', stored.scopes, 'seller_id', stored.seller_id, 'by_key', maker.key_id));
  return access.done(stored.key_id, stored.created_at, true);
end
$$;

create function access.revoke_key(asked jsonb, actor text, by_key text) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
  stored public.api_key;
  was_revoked boolean;
  sessions integer;
begin
  select * into stored from public.api_key k where k.key_id = asked ->> 'key_id' for update;
  if not found then return access.refused('not_found', 'there is no key of this id'); end if;
  was_revoked := stored.revoked_at is not null;
  if not was_revoked then
    update public.api_key k set revoked_at = now() where k.key_id = stored.key_id returning * into stored;
    update access.session s set ended_at = now() where s.key_id = stored.key_id and s.ended_at is null;
    get diagnostics sessions = row_count;
    perform access.note(actor, 'key.revoke', 'key', stored.key_id, jsonb_build_object('sessions', sessions, 'by_key', by_key));
  end if;
  return access.done(stored.key_id, stored.revoked_at, not was_revoked);
end
$$;

create function access.start_session(asked jsonb, actor text, caller_key text, caller_seller text) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
  stored access.session;
begin
  insert into access.session (session_id, id_sha256, key_id, seller_id, expires_at)
  values ((asked ->> 'session_id')::uuid, decode(asked ->> 'id_sha256', 'hex'), caller_key, caller_seller,
    least(now() + interval '7 days', (asked ->> 'expires_at')::timestamptz))
  on conflict do nothing returning * into stored;
  if not found then
    select * into stored from access.session s
    where s.session_id = (asked ->> 'session_id')::uuid and s.id_sha256 = decode(asked ->> 'id_sha256', 'hex');
    if not found then return access.refused('conflict', 'there is a session of this id'); end if;
    return access.done(stored.session_id::text, stored.created_at, false);
  end if;
  -- A key has 100 sessions: the one that was seen longest ago ends.
  update access.session s set ended_at = now() where s.session_id in (
    select o.session_id from access.session o
    where o.ended_at is null and (o.key_id = caller_key or o.seller_id = caller_seller) and o.session_id <> stored.session_id
    order by o.seen_at desc, o.session_id offset 99);
  delete from access.session s where s.expires_at < now() - interval '30 days';
  perform access.note(actor, 'session.start', 'session', stored.session_id::text, jsonb_build_object('by_key', caller_key));
  return access.done(stored.session_id::text, stored.created_at, true);
end
$$;

-- Of the caller's own key or seller, or of any one where the caller manages.
create function access.end_session(asked jsonb, actor text, caller_key text, caller_seller text, may_manage boolean) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
  stored access.session;
  had_ended boolean;
begin
  select * into stored from access.session s where s.session_id = (asked ->> 'session_id')::uuid for update;
  if not found or not coalesce(may_manage or stored.key_id = caller_key or stored.seller_id = caller_seller, false) then
    return access.refused('not_found', 'there is no session of this id');
  end if;
  had_ended := stored.ended_at is not null;
  if not had_ended then
    update access.session s set ended_at = now() where s.session_id = stored.session_id returning * into stored;
    perform access.note(actor, 'session.end', 'session', stored.session_id::text, jsonb_build_object('by_key', caller_key));
  end if;
  return access.done(stored.session_id::text, stored.ended_at, not had_ended);
end
$$;

-- When keys and sessions were last used: at most once a minute each, whatever the number of gateways.
create function access.note_use(asked jsonb) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
  perform from public.api_key k where k.key_id in (select jsonb_object_keys(asked -> 'keys')) order by k.key_id for no key update;
  update public.api_key k set last_used_at = least(u.value::timestamptz, now()) from jsonb_each_text(asked -> 'keys') u
  where k.key_id = u.key and (k.last_used_at is null or k.last_used_at + interval '1 minute' <= least(u.value::timestamptz, now()));
  perform from access.session s where s.session_id in (select jsonb_object_keys(asked -> 'sessions')::uuid) order by s.session_id for no key update;
  update access.session s set seen_at = least(u.value::timestamptz, now()) from jsonb_each_text(asked -> 'sessions') u
  where s.session_id = u.key::uuid and s.ended_at is null and s.seen_at + interval '1 minute' <= least(u.value::timestamptz, now());
  return access.done('', now(), true);
end
$$;

-- Makes a change that the gateway signed. Who asks for it is part of what is signed, and what the caller may do is decided here, by what its key
-- is now. A change that was made already is not made again.
create function change_access(request text, signature text) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO'
as $$
declare
  expected bytea := access.hmac((select secret from access.signing_key), request);
  asked jsonb;
  caller jsonb;
  caller_key public.api_key;
  caller_seller text;
  actor text;
  may_manage boolean := false;
begin
  -- Hashes are compared, so that the duration says nothing about the signature.
  if request is null or signature is null or sha256(convert_to(signature, 'UTF8')) <> sha256(convert_to(encode(expected, 'hex'), 'UTF8')) then
    return access.refused('forbidden', 'the change is not signed by the gateway');
  end if;
  asked := request::jsonb;
  -- What was held back is not made long afterwards.
  if abs(extract(epoch from clock_timestamp() - (asked ->> 'at')::timestamptz)) > 600 then
    return access.refused('forbidden', 'the change was asked for more than 10 minutes ago: ask again');
  end if;
  if asked ->> 'change' = 'note_use' then return access.note_use(asked); end if;
  caller := asked -> 'caller';
  caller_seller := caller ->> 'seller_id';
  if caller ? 'key_id' then
    select * into caller_key from public.api_key k where k.key_id = caller ->> 'key_id';
    if not found or caller_key.revoked_at is not null or caller_key.is_publishable then
      return access.refused('forbidden', 'the key is not known, was revoked, or is publishable');
    end if;
    may_manage := 'manage' = any (caller_key.scopes) and caller_key.seller_id is null;
  end if;
  actor := coalesce(caller_key.name, 'seller ' || caller_seller, 'local');
  case asked ->> 'change'
    when 'create_key' then
      -- This machine, as long as no key was made.
      if not (may_manage or coalesce(caller = '{}', false)) then
        return access.refused('forbidden', 'the key does not have the scope manage');
      end if;
      return access.create_key(asked -> 'key', actor, caller_key);
    when 'revoke_key' then
      if not may_manage then return access.refused('forbidden', 'the key does not have the scope manage'); end if;
      return access.revoke_key(asked, actor, caller_key.key_id);
    when 'start_session' then
      return access.start_session(asked, actor, caller_key.key_id, caller_seller);
    when 'end_session' then
      return access.end_session(asked, actor, caller_key.key_id, caller_seller, may_manage);
    else
      return access.refused('invalid_request', 'there is no such change');
  end case;
end
$$;

revoke execute on function change_access(text, text), access.hmac(bytea, text), access.refused(text, text),
  access.done(text, timestamptz, boolean), access.note(text, text, text, text, jsonb), access.create_key(jsonb, text, public.api_key),
  access.revoke_key(jsonb, text, text), access.start_session(jsonb, text, text, text), access.end_session(jsonb, text, text, text, boolean),
  access.note_use(jsonb) from public;

-- Roles that read keys sign and see sessions at once, and those that feed profiles make changes, so that no process waits for migrate --role.
do $$
declare
  role_name text;
begin
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'api_key'::regclass and a.privilege_type = 'SELECT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant usage on schema access to %s', role_name);
    execute format('grant select on all tables in schema access to %s', role_name);
  end loop;
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'shopper_product'::regclass and a.privilege_type = 'INSERT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant execute on function change_access(text, text) to %s', role_name);
  end loop;
end $$;
