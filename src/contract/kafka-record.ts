import { z } from 'zod'
import { Id, ProductId } from './fields/id.ts'
import { storableText } from './fields/text.ts'
import { NAME_CHARACTERS_MAX } from './product.ts'

/** What a topic has. */
export const RECORD_KINDS = ['ProductCreated', 'ProductUpdated', 'ProductDeleted', 'interaction'] as const
export type RecordKind = (typeof RECORD_KINDS)[number]

const identity = { productId: ProductId, sellerId: Id, name: storableText(NAME_CHARACTERS_MAX) }

/** Fields that are not listed, e.g. `description`, are not looked at. */
const ChangedProduct = z.object({
  ...identity,
  price: z.int().min(0).describe('In minor units of the default currency. 0 is a price.'),
  quantity: z.int(),
  category: Id,
  brand: Id.optional(),
})

const envelope = {
  eventId: Id,
  timestamp: z.int().describe('When the product was changed to this version, in milliseconds since 1970.'),
}

/** The value of a record of `product.created` or `product.updated`. */
export const ChangedProductEvent = z.object({
  ...envelope,
  eventType: z.enum(['ProductCreated', 'ProductUpdated']),
  data: ChangedProduct,
})

/** The value of a record of `product.deleted`. */
export const DeletedProductEvent = z.object({ ...envelope, eventType: z.literal('ProductDeleted'), data: z.object(identity) })

/** The fields next to `data`. */
export const ENVELOPE_FIELDS: readonly string[] = Object.keys(DeletedProductEvent.omit({ data: true }).shape)

/** Fields of product events that a correction may name. */
export const PRODUCT_EVENT_FIELDS = [...ENVELOPE_FIELDS, ...Object.keys(ChangedProduct.shape)]
