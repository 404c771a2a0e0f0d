import { alsoAsNumber } from './read-as.ts'
import { storableText } from './text.ts'
import { unlessMissing } from './zod-messages.ts'

export const ID_CHARACTERS_MAX = 200

/** The id of a product, category, account, session, seller or brand: a UUID, an integer or a SKU fits. */
export const Id = alsoAsNumber(
  storableText(ID_CHARACTERS_MAX, { error: unlessMissing('must be a text, or a whole number within ±(2^53 − 1)') }),
)

/** A URL cannot name these products, because routers and proxies resolve dots, and `top` is the address of a list. */
const UNADDRESSABLE = new Set(['.', '..', 'top'])

/** Whether a URL can name a product with this id. */
export function isAddressable(productId: string): boolean {
  return !UNADDRESSABLE.has(productId)
}

export const ProductId = Id.refine(isAddressable, { error: 'must not be ".", ".." or "top"' }).meta({
  pattern: String.raw`^(?!(\.|\.\.|top)$)[^\u0000]*$`,
})
