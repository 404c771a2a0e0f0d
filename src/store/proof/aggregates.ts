import type { Aggregate } from './drift.ts'
import { IMPRESSION_DAY } from './impression-drift.ts'
import { INGEST_HOUR } from './ingest-drift.ts'
import { PRODUCT_DAY, PRODUCT_HOUR, PRODUCT_POPULARITY } from './popularity-drift.ts'
import { PRODUCT_METRIC } from './product-metric-drift.ts'
import { PRODUCT_SEARCH } from './product-search-drift.ts'
import { SHOPPER_PRODUCT } from './profile-drift.ts'
import { SHOPPER_RECENT } from './recent-drift.ts'
import { METRIC_SNAPSHOT } from './report-drift.ts'
import { SIMILARITY_PRODUCT, SIMILARITY_ROW } from './similarity-drift.ts'
import { PRODUCT_RATING, SALE_LINE, SELLER_DAY, SELLER_PENDING, SELLER_PENDING_DAY } from './sales-drift.ts'

/** Every aggregate that `verify` proves. The test that changes cells by hand, and the clearing of test databases, use this list too. */
export const AGGREGATES: readonly Aggregate[] = [
  PRODUCT_HOUR,
  PRODUCT_DAY,
  PRODUCT_POPULARITY,
  SHOPPER_PRODUCT,
  SHOPPER_RECENT,
  SALE_LINE,
  SELLER_PENDING,
  SELLER_PENDING_DAY,
  SELLER_DAY,
  PRODUCT_RATING,
  METRIC_SNAPSHOT,
  SIMILARITY_ROW,
  SIMILARITY_PRODUCT,
  IMPRESSION_DAY,
  PRODUCT_METRIC,
  INGEST_HOUR,
  PRODUCT_SEARCH,
]
