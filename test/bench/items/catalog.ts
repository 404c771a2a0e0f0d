import { sql } from 'kysely'
import type { ProductVersion } from '../../../src/admission/product.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { withoutTimeout } from '../servers/without-timeout.ts'

export const SELLERS = 5_000
export const CATEGORIES = 300

/** A catalog of so many products, of which a fiftieth is deleted. */
export async function fillCatalog(db: Database, products: number): Promise<void> {
  await withoutTimeout(db, async (unlimited) => {
    await sql`
      insert into catalog.product (product_id, name, seller_id, category, price, currency, quantity, status, updated_at, call_id)
      select 'p-' || n, 'Product ' || n, 's-' || n % ${SELLERS}::int, 'c-' || n % ${CATEGORIES}::int, n % 10000, 'EUR', n % 500,
        case when n % 50 = 0 then 'deleted' else 'active' end, '2026-01-01', gen_random_uuid()
      from generate_series(1, ${products}::int) n`.execute(unlimited)
    await sql`vacuum (analyze) catalog.product`.execute(unlimited)
  })
}

/** At most so many products spread over the catalog, each with another price, quantity, and now and then another seller. */
export function changesOf({ products, version, count }: Record<'products' | 'version' | 'count', number>): ProductVersion[] {
  const ids = new Set(Array.from({ length: count }, (_, index) => 1 + ((version * 7_919 + index * 104_729) % products)))
  return [...ids].map((id, index) => ({
    index,
    productId: `p-${id}`,
    sellerId: `s-${(id + (index % 20 === 0 ? version : 0)) % SELLERS}`,
    name: `Product ${id}`,
    category: `c-${id % CATEGORIES}`,
    brand: null,
    price: (id + version) % 10_000,
    currency: 'EUR',
    quantity: (id * 31 + version) % 500,
    status: 'active',
    updatedAtMs: Date.parse('2026-02-01T00:00:00Z') + version * 1_000,
  }))
}
