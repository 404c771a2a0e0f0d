import { Product, type Product as ProductItem } from '../contract/product.ts'
import type { RejectedItem } from '../contract/interaction.ts'
import { writable } from '../contract/text.ts'
import { millisecondsOf } from '../contract/time.ts'
import { FUTURE_MS_MAX } from './interaction.ts'
import { itemProblem } from './item-problem.ts'
import type { ProductVersion } from './rows.ts'

export interface JudgedProducts {
  versions: ProductVersion[]
  rejections: RejectedItem[]
}

/** Judges each product of a call alone. */
export function judgeProducts(items: readonly unknown[], nowMs: number): JudgedProducts {
  const judged: JudgedProducts = { versions: [], rejections: [] }
  for (const [index, item] of items.entries()) {
    const verdict = judgeProduct(index, writable(item), nowMs)
    if ('productId' in verdict) judged.versions.push(verdict)
    else judged.rejections.push(verdict)
  }
  return judged
}

function judgeProduct(index: number, item: unknown, nowMs: number): ProductVersion | RejectedItem {
  const parsed = Product.safeParse(item)
  if (!parsed.success) return { index, code: 'invalid', ...itemProblem(parsed.error, item, 'a product') }
  const updatedAtMs = millisecondsOf(parsed.data.updated_at)
  const refuse = (code: string, message: string) => ({ index, code, field: 'updated_at', message })
  if (updatedAtMs > nowMs + FUTURE_MS_MAX) return refuse('in_future', 'is more than 5 minutes in the future')
  if (updatedAtMs < 0) return refuse('too_old', 'is before 1970-01-01')
  return { index, updatedAtMs, ...columnsOf(parsed.data) }
}

/** A product as the store takes it, but for its place and its time. */
export function columnsOf(product: ProductItem) {
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
