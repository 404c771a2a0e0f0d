import { type CatalogProduct, Product, type Product as ProductItem } from '../contract/product.ts'
import { millisecondsOf } from '../contract/fields/time.ts'
import { type Judged, judgeEach, type Verdict } from './judge-each.ts'
import { parseItem } from './parse-item.ts'
import { FUTURE_MS_MAX, futureProblem } from './time-problem.ts'

/** A checked version of a product. `index` is its position in the call. */
export interface ProductVersion {
  index: number
  productId: string
  sellerId: string | null
  name: string
  category: string | null
  brand: string | null
  price: number | null
  currency: string | null
  quantity: number | null
  status: CatalogProduct['status']
  updatedAtMs: number
}

/** Checks each product of a call. */
export function judgeProducts(items: readonly unknown[], nowMs: number): Judged<ProductVersion> {
  return judgeEach(items, (item, index): Verdict<ProductVersion> => {
    const result = parseItem({ schema: Product, noun: 'a product' }, item)
    if ('rejection' in result) return result
    const updatedAtMs = millisecondsOf(result.parsed.updated_at)
    const field = 'updated_at'
    if (updatedAtMs > nowMs + FUTURE_MS_MAX) return { rejection: futureProblem(field, updatedAtMs, nowMs) }
    if (updatedAtMs < 0) return { rejection: { code: 'too_old', field, message: 'is before 1970-01-01' } }
    return { row: { index, updatedAtMs, ...productColumns(result.parsed) } }
  })
}

/** The columns of a product, without its position in the call and its time. */
export function productColumns(product: ProductItem) {
  return {
    productId: product.product_id,
    sellerId: product.seller_id ?? null,
    name: product.name,
    category: product.category ?? null,
    brand: product.brand ?? null,
    price: product.price ?? null,
    currency: product.currency ?? null,
    quantity: product.quantity ?? null,
    status: product.status,
  }
}
