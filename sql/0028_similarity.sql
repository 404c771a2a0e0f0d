-- works since 0016
-- Which products shoppers go on to. A run computes a version of all rows from the log, and one update puts it in force.

create table similarity_run (
  run_id        uuid        primary key,
  requested_at  timestamptz not null default now(),
  started_at    timestamptz,
  finished_at   timestamptz,
  -- When it last did something.
  active_at     timestamptz not null default now(),
  -- The version that it put in force.
  version       bigint,
  -- Blocks of products; the total is known once the log is read.
  done          integer     not null default 0,
  total         integer     not null default 0,
  kind          text collate "C" not null check (kind in ('requested', 'scheduled')),
  status        text collate "C" not null check (status in ('pending', 'running', 'completed', 'failed', 'cancelled')),
  stage         text collate "C" check (stage in ('reading', 'counting', 'writing')),
  actor         text not null,
  requested_by  text,
  error_message text,
  check ((finished_at is not null) = (status in ('completed', 'failed', 'cancelled'))),
  check ((version is not null) = (status = 'completed'))
);
-- At most one run is open.
create unique index similarity_run_open on similarity_run ((true)) where status in ('pending', 'running');
create index similarity_run_newest on similarity_run (requested_at desc, run_id);

-- A version and what it was made from, exactly: the events of batches up to batch_to without batches_missing, of these types, from the
-- horizon on, or only from the event oldest_event_id on, with the first `merges` merges of sessions into accounts.
create table similarity_version (
  version         bigint generated always as identity primary key,
  -- When its log was read.
  read_at         timestamptz not null,
  made_at         timestamptz,
  horizon         timestamptz not null,
  merges_to       timestamptz,
  oldest_at       timestamptz,
  batch_to        bigint      not null,
  merges          bigint      not null,
  shoppers        bigint,
  events          bigint,
  pairs           bigint,
  products        integer,
  bots            integer,
  -- What a cosine of contents counts next to a similarity.
  content_weight  double precision,
  run_id          uuid        not null,
  oldest_event_id uuid,
  batches_missing bigint[]    not null,
  state           text collate "C" not null check (state in ('building', 'ready', 'dropping')),
  settings        jsonb       not null,
  event_types     text[]      not null,
  -- Of its products with their categories and brands, in order.
  catalog_sha256  bytea,
  check (state <> 'ready' or made_at is not null)
);

-- The version in force, and the one before it.
create table similarity_current (
  changed_at timestamptz not null default now(),
  version    bigint,
  previous   bigint,
  singleton  boolean primary key default true check (singleton)
);
insert into similarity_current default values;

-- The products of a version. The numbers from 0 are in the order of the ids, byte by byte.
create table similarity_product (
  version    bigint  not null,
  product_no integer not null,
  -- How many events count, and how many baskets of purchases.
  events     integer not null,
  baskets    integer not null,
  product_id text collate "C" not null,
  category   text collate "C",
  brand      text collate "C",
  primary key (version, product_no)
);

-- The neighbours of a product, best first: by similarity with the number of pairs behind each, and the same from the neighbour to the
-- product, 0 when it is not among the best of the neighbour's row; by content; and by common baskets with their number. Rows stay in the page
-- as they are: numbers of random products do not compress, and out of the page a read costs twice.
create table similarity_row (
  version      bigint    not null,
  product_no   integer   not null,
  neighbour    integer[] not null,
  score        real[]    not null,
  count        integer[] not null,
  back_score   real[]    not null,
  back_count   integer[] not null,
  content      integer[] not null,
  cosine       real[]    not null,
  bought       integer[] not null,
  bought_count integer[] not null,
  primary key (version, product_no)
);
alter table similarity_row
  alter neighbour set storage plain, alter score set storage plain, alter count set storage plain,
  alter back_score set storage plain, alter back_count set storage plain, alter content set storage plain,
  alter cosine set storage plain, alter bought set storage plain, alter bought_count set storage plain;

-- Products like one that is newer than the version in force. Changes of the catalog wait while it is made: 0.2 s for 100,000 products.
create index product_by_brand on catalog.product (brand, product_id) where status = 'active' and brand is not null;

-- Roles that feed profiles or read them may do the same with the new tables at once, so that no process waits for migrate --role.
do $$
declare
  role_name text;
begin
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'shopper_product'::regclass and a.privilege_type = 'SELECT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant select on similarity_run, similarity_version, similarity_current, similarity_product, similarity_row to %s', role_name);
  end loop;
  for role_name in
    select distinct a.grantee::regrole::text from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'shopper_product'::regclass and a.privilege_type = 'INSERT' and a.grantee not in (c.relowner, 0)
  loop
    execute format('grant insert, update on similarity_run to %s', role_name);
    execute format('grant insert, update, delete on similarity_version to %s', role_name);
    execute format('grant update (changed_at, version, previous) on similarity_current to %s', role_name);
    execute format('grant insert, delete on similarity_product, similarity_row to %s', role_name);
  end loop;
end $$;
