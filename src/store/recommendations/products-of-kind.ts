import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'

interface Kind {
  category: string | undefined
  brand: string | undefined
}

/**
 * Products that can be bought of a category and of a brand: those of both, of the category, and of the brand, of each the first ones by what is
 * trending. Costs a probe for each product of the category and of the brand.
 */
export async function productsOfKind(db: Queryable, { category, brand }: Kind, limit: number): Promise<string[]> {
  const best = (isOf: ReturnType<typeof sql>) => sql`
    (select c.product_id from catalog.product c left join product_popularity p using (product_id)
      where c.status = 'active' and (c.quantity is null or c.quantity > 0) and ${isOf}
      order by p.trending desc nulls last, c.product_id limit ${limit})`
  const parts = [
    ...(category !== undefined && brand !== undefined ? [best(sql`c.category = ${category} and c.brand = ${brand}`)] : []),
    ...(category === undefined ? [] : [best(sql`c.category = ${category}`)]),
    ...(brand === undefined ? [] : [best(sql`c.brand = ${brand}`)]),
  ]
  if (parts.length === 0) return []
  const { rows } = await sql<{ productId: string }>`
    select product_id as "productId" from (${sql.join(parts, sql` union `)}) kind order by 1`.execute(db)
  return rows.map(({ productId }) => productId)
}
