import { z } from 'zod'
import { handler } from './handler.ts'
import { Id } from './fields/id.ts'
import { Instant } from './fields/instant.ts'

/** How many products an answer about low stock lists. */
export const LOW_STOCK_PRODUCTS_MAX = 1_000
/** How many states an answer of a history has at most. */
export const HISTORY_STATES_MAX = 1_000
export const HISTORY_DAYS = 30

/** Sums of many products may be larger than 2^53; then the last digits are those of a double. */
const Amount = z.object({ currency: z.string(), amount: z.number().describe('In minor units of the currency.') })

const LastUpdated = z.iso.datetime().nullable().describe('When these numbers last changed; null if they never did.')

export const SellerMetrics = z.object({
  seller_id: z.string(),
  total_products: z.int().describe('Active, hidden and deleted products.'),
  active_products: z.int(),
  deleted_products: z.int(),
  amounts: z
    .array(Amount)
    .describe('Price · quantity of the products that are not deleted, per currency. A quantity below 0 counts as 0.'),
  last_updated: LastUpdated,
})
export type SellerMetrics = z.infer<typeof SellerMetrics>

export const CategoryMetrics = z.object({
  category: z.string(),
  total_products: z.int().describe('Active and hidden products. A deleted one has left its category.'),
  amounts: z.array(Amount).describe('Price · quantity of these products, per currency. A quantity below 0 counts as 0.'),
  average_prices: z
    .array(Amount)
    .describe('Of the products with a price in the currency, rounded to a whole minor unit, halves upward.'),
  last_updated: LastUpdated,
})
export type CategoryMetrics = z.infer<typeof CategoryMetrics>

const LowStockProduct = z.object({
  product_id: z.string(),
  seller_id: z.string().optional(),
  name: z.string(),
  quantity: z.int(),
  category: z.string().optional(),
})

const StockCrossing = z.object({
  crossed_at: z.iso.datetime(),
  product_id: z.string(),
  seller_id: z.string().optional(),
  name: z.string().optional().describe('What the catalog calls it now.'),
  is_low: z.boolean().describe('Whether it became low, or is low no more.'),
  quantity_before: z.int().nullable().describe('null for a new product.'),
  quantity: z.int().nullable(),
})

export const LowStockMetrics = z.object({
  low_stock_count: z.int().describe('Active products with fewer items than `low_stock_below`.'),
  last_updated: LastUpdated,
})
export type LowStockMetrics = z.infer<typeof LowStockMetrics>

export const LowStock = LowStockMetrics.extend({
  low_stock_below: z.int().describe('10, until `footfall metrics low-stock --below` changes it.'),
  products: z.array(LowStockProduct).describe('The products with the fewest items first, then by id.'),
  crossings: z
    .array(StockCrossing)
    .describe('The latest products that became low, or are low no more, by versions that were stored; kept for 30 days.'),
})
export type LowStock = z.infer<typeof LowStock>

/** Of the past only the count is known. */
const LowStockAnswer = LowStock.partial().required({ low_stock_count: true, last_updated: true })

/** The metrics of a key at an instant. */
export type MetricState = SellerMetrics | CategoryMetrics | LowStockMetrics

const At = Instant.optional().describe(
  'An instant of the last 30 days: the answer is the newest state that was recorded by then. A key has at most one state a minute.',
)

/** How many sellers or categories an answer has at most. */
export const METRICS_KEYS_MAX = 100
const KEYS_PROBLEM = { error: `must be 1 to ${METRICS_KEYS_MAX} ids` }
const keysOf = (what: string) =>
  z
    .array(Id)
    .min(1, KEYS_PROBLEM)
    .max(METRICS_KEYS_MAX, KEYS_PROBLEM)
    .describe(`The ${what}, repeated: 1 to ${METRICS_KEYS_MAX}.`)

export const SellersMetricsQuery = z.strictObject({ seller_ids: keysOf('sellers').meta({ examples: [['north-light']] }) })
export const CategoriesMetricsQuery = z.strictObject({ categories: keysOf('categories').meta({ examples: [['lighting']] }) })

export const MetricsAtQuery = z.strictObject({ at: At })

export const MetricsHistoryQuery = z.strictObject({
  from: Instant.optional().describe('States from this instant on.'),
  to: Instant.optional().describe('States before this instant; for the next page, `recorded_at` of the last one of this page.'),
  limit: z.int().min(1).max(HISTORY_STATES_MAX).default(100).describe('How many states.'),
})
export type MetricsHistoryQuery = z.infer<typeof MetricsHistoryQuery>

const Meta = z.object({ recorded_at: z.iso.datetime().describe('When the state was recorded; with `at`.') }).optional()
const SELLER = {
  seller_id: 'north-light',
  ...{ total_products: 3, active_products: 2, deleted_products: 1 },
  amounts: [{ currency: 'EUR', amount: 59_880 }],
  last_updated: '2026-03-01T12:00:00.512Z',
}

export const SellerMetricsResponse = z.object({ data: SellerMetrics, meta: Meta }).meta({ examples: [{ data: SELLER }] })
export const SellersMetricsResponse = z
  .object({ data: z.array(SellerMetrics).describe('In the order of the question, each once; zeros without products.') })
  .meta({ examples: [{ data: [SELLER] }] })
const CATEGORY = {
  category: 'lighting',
  total_products: 2,
  amounts: [{ currency: 'EUR', amount: 59_880 }],
  average_prices: [{ currency: 'EUR', amount: 4_990 }],
  last_updated: '2026-03-01T12:00:00.512Z',
}
export const CategoryMetricsResponse = z.object({ data: CategoryMetrics, meta: Meta }).meta({ examples: [{ data: CATEGORY }] })
export const CategoriesMetricsResponse = z
  .object({ data: z.array(CategoryMetrics).describe('In the order of the question, each once; zeros without products.') })
  .meta({ examples: [{ data: [CATEGORY] }] })
const LOW_STOCK_COUNT = { low_stock_count: 1, last_updated: '2026-03-01T12:00:00.512Z' }
const LOW_LAMP = { product_id: 'lamp', seller_id: 'north-light' }
const LOW_STOCK = {
  ...{ ...LOW_STOCK_COUNT, low_stock_below: 10 },
  products: [{ ...LOW_LAMP, name: 'Brass lamp', quantity: 9, category: 'lighting' }],
  crossings: [{ ...LOW_LAMP, crossed_at: '2026-03-01T12:00:00.512Z', is_low: true, quantity_before: 12, quantity: 9 }],
}
export const LowStockResponse = z.object({ data: LowStockAnswer, meta: Meta }).meta({ examples: [{ data: LOW_STOCK }] })

const Recorded = { recorded_at: z.iso.datetime() }
const RECORDED = { recorded_at: '2026-03-01T12:00:01.024Z' }
const NEWEST_FIRST = 'The newest first.'
export const SellerHistoryResponse = z
  .object({ data: z.array(SellerMetrics.extend(Recorded)).describe(NEWEST_FIRST) })
  .meta({ examples: [{ data: [{ ...SELLER, ...RECORDED }] }] })
export const CategoryHistoryResponse = z
  .object({ data: z.array(CategoryMetrics.extend(Recorded)).describe(NEWEST_FIRST) })
  .meta({ examples: [{ data: [{ ...CATEGORY, ...RECORDED }] }] })
export const LowStockHistoryResponse = z
  .object({ data: z.array(LowStockMetrics.extend(Recorded)).describe(NEWEST_FIRST) })
  .meta({ examples: [{ data: [{ ...LOW_STOCK_COUNT, ...RECORDED }] }] })

export const MetricsRequest = z
  .strictObject({
    seller_id: Id.optional(),
    category: Id.optional(),
    low_stock: z.literal(true).optional(),
    at: At,
  })
  .refine((request) => [request.seller_id, request.category, request.low_stock].filter((one) => one !== undefined).length === 1, {
    error: 'or category or low_stock is needed, and one only',
    path: ['seller_id'],
  })
export type MetricsRequest = z.infer<typeof MetricsRequest>

export const MetricsResponse = z.object({
  seller: SellerMetrics.optional(),
  category: CategoryMetrics.optional(),
  low_stock: LowStockAnswer.optional().describe('With `at`, the count alone.'),
  recorded_at: z.iso.datetime().optional().describe('When the state was recorded; with `at`.'),
})
export type MetricsResponse = z.infer<typeof MetricsResponse>

export const productMetricsHandlers = {
  Metrics: handler({
    input: MetricsRequest,
    output: MetricsResponse,
    description:
      'What a seller, a category or low stock comes to: exactly what the catalog has now, or the state that was recorded by an instant.',
  }),
}
