import { z } from 'zod'
import { Currency } from './fields/currency.ts'
import { BATCH_ITEMS_MAX, RejectedItem } from './interaction.ts'
import { handler } from './handler.ts'
import { uncheckedItems } from './fields/item-schema.ts'
import { RecordedBatch } from './recorded-batch.ts'
import { storableText } from './fields/text.ts'
import { Waiting } from './waiting.ts'
import { Id, ProductId } from './fields/id.ts'
import { Instant } from './fields/instant.ts'

export const NAME_CHARACTERS_MAX = 1_000

const fields = {
  product_id: ProductId.describe("The shop's id of the product."),
  seller_id: Id.optional(),
  name: storableText(NAME_CHARACTERS_MAX),
  category: Id.optional(),
  brand: Id.optional(),
  price: z.int().min(0).optional().describe('In minor units of the currency, e.g. cents. Needs currency.'),
  currency: Currency.optional().describe('ISO 4217. Needs price.'),
  quantity: z.int().optional().describe('How many items are in stock; below 0 when more are ordered than there are.'),
  status: z.enum(['active', 'hidden', 'deleted']).describe('Lists leave out hidden and deleted products; their counts are kept.'),
  updated_at: Instant.describe(
    'When the product was changed to this version. The newest version wins, in any order of arrival; at the same time a deleted one, then the one with the larger JSON text. Kept as UTC milliseconds.',
  ),
}

/** A complete product of the catalog: an absent field has no value, even if an older version had one. */
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

export const UpsertProductsRequest = z
  .strictObject({
    products: uncheckedItems(Product, BATCH_ITEMS_MAX).describe(
      'Each is checked alone: a wrong product is rejected with its index, and the others are stored.',
    ),
  })
  .meta({ examples: [{ products: [LAMP] }] })
export type UpsertProductsRequest = z.infer<typeof UpsertProductsRequest>

export const UpsertProductsResponse = z.object({
  accepted: z.int().describe('How many products changed the catalog.'),
  duplicates: z
    .int()
    .describe('How many products changed nothing, because the catalog or this request has the same version or a newer one.'),
  duplicate_indexes: z.array(z.int()),
  stale: z
    .array(z.int())
    .optional()
    .describe(
      'Positions of products that changed nothing, although they differ from the version with the same updated_at that the catalog keeps. They are no duplicates. Absent when there are none.',
    ),
  rejected: z.array(RejectedItem),
})
export type UpsertProductsResponse = z.infer<typeof UpsertProductsResponse>

export const GetProductRequest = z.strictObject({ product_id: fields.product_id.meta({ examples: ['lamp'] }) })

/** A product in an answer, without the fields that have no value. */
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

/** The product beside a row of a list, without the fields that have no value. */
export const ListedProduct = CatalogProduct.omit({ product_id: true, updated_at: true })
export type ListedProduct = z.infer<typeof ListedProduct>

/** A field of a list's rows. */
export const ProductBeside = ListedProduct.nullable()
  .optional()
  .describe('With expand=product: what the catalog has now; null for a product that it does not have.')

export const EXPANSIONS = ['product'] as const

/** Options of a request for a list of products. */
export const listedProductOptions = {
  expand: z
    .enum(EXPANSIONS)
    .optional()
    .describe("product: each row comes with the product's name, category, brand, price, quantity and status."),
  in_stock: z
    .boolean()
    .optional()
    .describe('Whether products with a quantity of 0 or less are left out. An unknown quantity counts as in stock.'),
}

/** The same of lists whose products can always be bought. */
export const availableProductOptions = {
  expand: listedProductOptions.expand,
  in_stock: z.boolean().optional().describe('Changes nothing: products that cannot be bought are never in this list.'),
}

/** The answer over HTTP. */
export const GetProductResponse = z.object({ data: CatalogProduct }).meta({ examples: [{ data: LAMP }] })

/** The answer of the handler. */
export const ProductsOrWaiting = UpsertProductsResponse.extend({ waiting: Waiting })

export const catalogHandlers = {
  AddInteraction: handler({
    input: RecordedBatch,
    description: 'Private. Feeds a recorded batch to the shopper profiles once.',
  }),
  UpsertProducts: handler({
    input: UpsertProductsRequest,
    output: ProductsOrWaiting,
    description: 'Updates the catalog, which keeps the newest version of each product. Each item is checked alone.',
  }),
  GetProduct: handler({
    input: GetProductRequest,
    output: CatalogProduct,
    description: 'One product, also a deleted one; 404 if the catalog never had it.',
  }),
}
