import { join } from 'node:path'
import { sql } from 'kysely'
import type { Database } from '../../../src/store/database/connection.ts'
import { distribute, distributionSteps } from '../../../src/store/access/distribute.ts'

export const FUNCTIONS_FILE = join(import.meta.dirname, '..', '..', '..', 'sql', 'citus', 'functions.sql')

/**
 * Functions with the names of those of Citus. They note what they are called with, and refuse what Citus is known to refuse: a table with
 * triggers, a table twice, a foreign key to a table that is not placed yet, and a unique key without the distribution column. They place nothing, and do not show what
 * statements Citus takes.
 */
export async function makeCitusStubs(db: Database): Promise<void> {
  await sql`
    create table pg_dist_node (groupid integer not null);
    insert into pg_dist_node values (0), (1), (2);
    create table pg_dist_partition (logicalrelid regclass primary key, placed_as text not null, column_name text, colocated text);
    create table distributed_function (name regprocedure not null);
    create function place(relation regclass, placed_as text, column_name text, colocated text) returns void language plpgsql as $$
    begin
      if exists (select from pg_trigger where tgrelid = relation and not tgisinternal) and placed_as <> 'local' then
        raise exception 'cannot distribute relation "%" because it has triggers', relation;
      end if;
      if exists (select from pg_constraint where conrelid = relation and contype = 'f'
        and confrelid not in (select logicalrelid from pg_dist_partition where pg_dist_partition.placed_as = 'reference')) then
        raise exception 'referenced table must be a distributed table or a reference table';
      end if;
      if placed_as = 'distributed' and exists (select from pg_index where indrelid = relation and indisunique and not (indkey::int2[] @>
        array(select attnum from pg_attribute where attrelid = relation and attname = column_name))) then
        raise exception 'distributed relations cannot have unique constraints that do not include the partition column';
      end if;
      insert into pg_dist_partition values (relation, placed_as, column_name, colocated);
    end $$;
    create function create_reference_table(name regclass) returns void language sql as $$ select place(name, 'reference', null, null) $$;
    create function create_distributed_table(name regclass, column_name text, shard_count integer default null, colocate_with text default 'default')
    returns void language sql as $$ select place(name, 'distributed', column_name, colocate_with) $$;
    create function citus_add_local_table_to_metadata(name regclass) returns void language sql as $$ select place(name, 'local', null, null) $$;
    create function create_distributed_function(name regprocedure) returns void language sql as $$
      insert into distributed_function values (name) $$;`.execute(db)
}

/** Prepares a database as `migrate --citus` does, on the stubs: it has no triggers afterwards, and its statements are those for Citus. */
export async function distributeOnStubs(db: Database): Promise<void> {
  await makeCitusStubs(db)
  await distribute(db, await distributionSteps(db, { functionsFile: FUNCTIONS_FILE, shards: 4 }))
}

/** What follows when tests delete products, which no statement of the store does. */
export async function followDeletedProducts(db: Database): Promise<void> {
  await sql`
    create trigger product_metrics_delete after delete on catalog.product referencing old table as old_product
      for each statement execute function subtract_deleted_product_metrics();
    create trigger product_metrics_truncate after truncate on catalog.product for each statement execute function clear_product_metrics();
    create trigger product_search_delete after delete on catalog.product referencing old table as old_product
      for each statement execute function catalog.search_deleted_products();
    create trigger product_search_truncate after truncate on catalog.product
      for each statement execute function catalog.search_no_products()`.execute(db)
}
