import * as clients from '@restatedev/restate-sdk-clients'
import { Product, type UpsertProductsRequest, type UpsertProductsResponse } from '../../contract/product.ts'
import { catalogApi } from '../../contract/services.ts'
import { instantOf } from '../../contract/fields/time.ts'
import { readInstant } from './instant.ts'
import type { ItemKind } from './item-kind.ts'
import { readPrice } from './price.ts'
import { textOf } from './row.ts'

const FIELDS: readonly string[] = Object.keys(Product.shape)
const WHOLE = /^(?:0|[1-9]\d{0,14})$/

/**
 * Rows as products of the catalog. A product without `updated_at` gets the time of its file, so importing the file again changes
 * nothing, and a file that was written later wins. `priceDecimals` is undefined for prices in minor units.
 */
export function products({ priceDecimals }: { priceDecimals: number | undefined }): ItemKind {
  return {
    noun: 'a product',
    fields: FIELDS,
    fieldsInWords: FIELDS.join(', '),
    isField: (name) => FIELDS.includes(name),
    needed: [['product_id'], ['name']],
    named: {},
    read: (field, cell, time) => {
      if (field === 'updated_at') return readInstant(textOf(cell), time)
      if (field === 'price') return readPrice(cell, priceDecimals)
      if (field === 'quantity') return typeof cell === 'string' && WHOLE.test(cell) ? Number(cell) : cell
      return textOf(cell)
    },
    itemOf: (values, _row, { modifiedMs }) => {
      const item = { status: 'active', updated_at: instantOf(modifiedMs), ...Object.fromEntries(values) }
      // A currency is often a constant, which must not apply to rows without a price.
      return values.has('price') ? item : { ...item, currency: undefined }
    },
    record: (ingress, items, call) =>
      ingress
        .client(catalogApi)
        .UpsertProducts({ products: items }, clients.rpc.opts<UpsertProductsRequest, UpsertProductsResponse>(call)),
  }
}
