import { sql } from 'kysely'
import { CONTENT_NEIGHBOURS_MAX } from '../../ranking/similarity/settings.ts'
import { attributesOfProduct } from '../../ranking/similarity/product-attributes.ts'
import type { Queryable } from '../database/connection.ts'

/** A product that is like a product of the sample by category and brand. */
export interface ExpectedLike {
  productNo: number
  other: number
  cosine: number
}

const PRODUCTS_AT_ONCE = 5_000
const OWNERS_MIN = 2
const OWNERS_SHARE_MAX = 0.05

/**
 * The products that are like sampled ones, from the categories and brands that the version has: the cosine of two sets of attributes, each
 * weighted by ln(P / owners). Reads every product of the version.
 */
export async function expectedContent(tx: Queryable, version: string, sample: readonly number[]): Promise<ExpectedLike[]> {
  const attributes = await attributesOf(tx, version)
  const owners = Map.groupBy(
    attributes.flatMap((list, productNo) => list.map((attribute) => ({ attribute, productNo }))),
    ({ attribute }) => attribute,
  )
  const squareOf = (attribute: string): number => {
    const count = owners.get(attribute)!.length
    const counts = count >= OWNERS_MIN && count <= OWNERS_SHARE_MAX * attributes.length
    return counts ? Math.log(attributes.length / count) ** 2 : 0
  }
  const sum = (list: readonly string[]) => list.reduce((total, attribute) => total + squareOf(attribute), 0)
  return sample.flatMap((productNo) => {
    const own = (attributes[productNo] ?? []).filter((attribute) => squareOf(attribute) > 0)
    const others = new Set(own.flatMap((attribute) => owners.get(attribute)!.map((owner) => owner.productNo)))
    others.delete(productNo)
    return Array.from(others, (other) => {
      const common = own.filter((attribute) => attributes[other]!.includes(attribute))
      return { productNo, other, cosine: sum(common) / Math.sqrt(sum(own) * sum(attributes[other]!)) }
    })
  })
}

export const CONTENT_MAX = CONTENT_NEIGHBOURS_MAX

async function attributesOf(tx: Queryable, version: string): Promise<string[][]> {
  const attributes: string[][] = []
  for (;;) {
    const { rows } = await sql<{ category: string | null; brand: string | null }>`
      select category, brand from similarity_product
      where version = ${version}::bigint and product_no >= ${attributes.length} order by product_no limit ${PRODUCTS_AT_ONCE}`.execute(
      tx,
    )
    if (rows.length === 0) return attributes
    for (const { category, brand } of rows) attributes.push(attributesOfProduct(category, brand))
  }
}
