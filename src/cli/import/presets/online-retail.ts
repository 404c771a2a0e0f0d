import type { Preset } from './preset.ts'

/**
 * Online Retail and Online Retail II of the UCI Machine Learning Repository, whose columns have other names. The number of a
 * cancellation begins with C. https://archive.ics.uci.edu/dataset/352/online+retail
 */
export const ONLINE_RETAIL: Preset = {
  name: 'online-retail',
  files: 'Online Retail and Online Retail II of UCI as CSV',
  interactions: {
    rules: [
      ['set', 'event_type=return_product if InvoiceNo ^= C'],
      ['set', 'event_type=return_product if Invoice ^= C'],
      ['set', 'event_type=purchase if Quantity > 0'],
      ['map', 'ref_id=StockCode'],
      ['map', 'occurred_at=InvoiceDate'],
      ['map', 'account_id=CustomerID'],
      ['map', 'account_id=Customer ID'],
      ['map', 'session_id=InvoiceNo if CustomerID is empty'],
      ['map', 'session_id=Invoice if Customer ID is empty'],
    ],
    timeFormat: 'mdy',
  },
  products: {
    rules: [
      ['map', 'product_id=StockCode'],
      // Descriptions of other rows are notes about the stock, e.g. "damaged".
      ['map', 'name=Description if Quantity > 0 and UnitPrice > 0'],
      ['map', 'name=Description if Quantity > 0 and Price > 0'],
      ['map', 'price=UnitPrice'],
      ['map', 'price=Price'],
      ['set', 'currency=GBP'],
      ['map', 'updated_at=InvoiceDate'],
    ],
    timeFormat: 'mdy',
    priceDecimals: 2,
    ignored: { without: 'name', rows: 'without the description of a sale' },
  },
}
