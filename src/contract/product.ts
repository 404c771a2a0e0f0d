import { z } from 'zod'
import { Currency } from './currency.ts'
import { BATCH_ITEMS_MAX, RejectedItem } from './interaction.ts'
import { itemSchemaOf } from './item-schema.ts'
import { storableText } from './text.ts'
import { Id } from './id.ts'
import { ProductId } from './id.ts'
import { Instant } from './instant.ts'

export const NAME_CHARACTERS_MAX = 1_000

const fields = {
  product_id: ProductId.describe('The id that the shop gave it.'),
  seller_id: Id.optional(),
  name: storableText(NAME_CHARACTERS_MAX),
  category: Id.optional(),
  brand: Id.optional(),
  price: z.int().min(0).optional().describe('In minor units of the currency, such as cents. Needs currency.'),
  currency: Currency.optional().describe('ISO 4217. Needs price.'),
  quantity: z.int().min(0).optional().describe('How many are in stock.'),
  status: z.enum(['active', 'hidden', 'deleted']).describe('Lists leave out what is hidden or deleted; its numbers stay.'),
  updated_at: Instant.describe(
    'When the product became this. The newest version wins, whatever the order of arrival. Kept as UTC milliseconds.',
  ),
}

/** A product of the catalogue, as a whole: a field that is absent has no value any more. */
export const Product = z
  .strictObject(fields)
  .refine(({ price, currency }) => price === undefined || currency !== undefined, {
    error: 'is needed with a price',
    path: ['currency'],
  })
  .refine(({ price, currency }) => currency === undefined || price !== undefined, {
    error: 'is needed with a currency',
    path: ['price'],
  })
export type Product = z.infer<typeof Product>

const LAMP = {
  product_id: 'lamp',
  seller_id: 'north-light',
  name: 'Brass lamp',
  category: 'lighting',
  brand: 'Lumen',
  price: 4_990,
  currency: 'EUR',
  quantity: 12,
  status: 'active',
  updated_at: '2026-03-01T12:00:00.000Z',
} satisfies Product

/** Items are unknown here, so that each is judged alone and one bad item does not refuse its neighbours. */
const BatchItem = z.unknown().meta(itemSchemaOf(Product))

export const UpsertProductsRequest = z
  .strictObject({
    products: z
      .array(BatchItem)
      .min(1)
      .max(BATCH_ITEMS_MAX)
      .describe('Each is judged alone: one that is not as described is refused with its index, and its neighbours are taken.'),
  })
  .meta({ examples: [{ products: [LAMP] }] })
export type UpsertProductsRequest = z.infer<typeof UpsertProductsRequest>

export const UpsertProductsResponse = z.object({
  accepted: z.int().describe('How many changed the catalogue.'),
  duplicates: z
    .int()
    .describe('How many changed nothing: they are not newer than what the catalogue had, or than another of this request.'),
  duplicate_indexes: z.array(z.int()),
  rejected: z.array(RejectedItem),
})
export type UpsertProductsResponse = z.infer<typeof UpsertProductsResponse>

export const GetProductRequest = z.strictObject({ product_id: fields.product_id.meta({ examples: ['lamp'] }) })

/** A product as it is answered: fields without a value are absent. */
export const CatalogProduct = z.object({
  product_id: z.string(),
  seller_id: z.string().optional(),
  name: z.string(),
  category: z.string().optional(),
  brand: z.string().optional(),
  price: z.int().optional().describe('In minor units of the currency.'),
  currency: z.string().optional(),
  quantity: z.int().optional(),
  status: fields.status,
  updated_at: z.iso.datetime(),
})
export type CatalogProduct = z.infer<typeof CatalogProduct>

/** As REST answers it. */
export const GetProductResponse = z.object({ data: CatalogProduct }).meta({ examples: [{ data: LAMP }] })
