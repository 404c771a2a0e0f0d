import { sql } from 'kysely'
import type { Queryable } from '../../../src/store/database/connection.ts'
import { countBatch } from '../../../src/store/popularity/counting.ts'
import { feedBatch } from '../../../src/store/shoppers/shopper-profile.ts'

/** What works in lanes. */
export const WAYS = [
  { name: 'counting', take: countBatch },
  { name: 'feeding', take: feedBatch },
] as const

/** Locks the rows of a product, so that a group that has the product begins and does not end. */
export const lockProduct = (productId: string) => async (tx: Queryable) => {
  await sql`select from product_popularity where product_id = ${productId} for update`.execute(tx)
  await sql`select from shopper_product where product_id = ${productId} for update`.execute(tx)
}
