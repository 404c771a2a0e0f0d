import { EXPECTED_METRICS, METRIC_CELLS, STORED_METRICS } from '../metrics/rebuild.ts'
import { comparedAggregate, exact } from './drift.ts'

/** Sellers, categories and low stock, with what is not folded yet, by one statement over the catalog. */
export const PRODUCT_METRIC = comparedAggregate({
  table: 'product_metric',
  key: ['key', 'currency'],
  stored: STORED_METRICS,
  expected: EXPECTED_METRICS,
  cells: METRIC_CELLS.map(exact),
})
