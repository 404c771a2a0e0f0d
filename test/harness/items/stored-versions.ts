import { sql } from 'kysely'
import type { Database } from '../../../src/store/database/connection.ts'
import type { StoredVersion } from '../reference/catalog.ts'

const COLUMNS = sql.raw('product_id, seller_id, category, price, currency, quantity, status')

/**
 * Has the database keep each version of a product that is stored from now on, in the table stored_version. A writer holds the product until it
 * ends, so the numbers of a product's versions have the order in which they were committed.
 */
export async function keepStoredVersions(db: Database): Promise<void> {
  await sql`
    create table stored_version (
      number bigint generated always as identity, price bigint, quantity bigint, product_id text, seller_id text, category text,
      currency text, status text)`.execute(db)
  await sql`
    create function keep_stored_version() returns trigger language plpgsql as $$ begin
      insert into stored_version (${COLUMNS})
      values (new.product_id, new.seller_id, new.category, new.price, new.currency, new.quantity, new.status);
      return new;
    end $$`.execute(db)
  await sql`
    create trigger zz_keep_stored_version after insert or update on catalog.product
    for each row execute function keep_stored_version()`.execute(db)
}

/** The versions that were stored. Only those of one product have an order. */
export async function storedVersions(db: Database): Promise<StoredVersion[]> {
  const { rows } = await sql<StoredVersion>`
    select product_id, seller_id, category, price::float8 as price, currency, quantity::float8 as quantity, status
    from stored_version order by number`.execute(db)
  return rows
}
