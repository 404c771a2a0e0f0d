import * as clients from '@restatedev/restate-sdk-clients'
import { Product, type UpsertProductsRequest, type UpsertProductsResponse } from '../../../contract/product.ts'
import { judgeProducts } from '../../../admission/product.ts'
import { catalogApi } from '../../../contract/services.ts'
import { Currency } from '../../../contract/fields/currency.ts'
import { instantOf } from '../../../contract/fields/time.ts'
import { PRODUCT_NAMES } from './header-names.ts'
import type { ItemKind } from './item-kind.ts'
import { textOf } from '../source/row.ts'
import { readInstant } from '../values/instant.ts'
import { readPrice } from '../values/price.ts'
import { readQuantity } from '../values/quantity.ts'
import { readTextOrId } from '../values/text.ts'
import { Unreadable } from '../values/unreadable.ts'

const FIELDS: readonly string[] = Object.keys(Product.shape)

export interface ProductReading {
  /** Undefined for prices in minor units, and `auto` for the decimals of each row's currency. */
  priceDecimals: number | 'auto' | undefined
  /** Whether a price or a stock figure that cannot be read is left out, instead of refusing its product. */
  isLenient?: boolean
}

/**
 * Rows as products of the catalog. A product without `updated_at` gets the time of its file, so importing the file again changes
 * nothing, and a file that was written later wins.
 */
export function products({ priceDecimals, isLenient = false }: ProductReading): ItemKind {
  return {
    noun: 'a product',
    fields: FIELDS,
    fieldsInWords: FIELDS.join(', '),
    isField: (name) => FIELDS.includes(name),
    needed: [['product_id'], ['name']],
    exclusive: [],
    named: {},
    ids: new Set(['product_id', 'seller_id']),
    timeField: 'updated_at',
    implied: () => ({ status: 'the constant "active"', updated_at: 'the time at which the file was written' }),
    headerNames: PRODUCT_NAMES,
    read: (field, cell, reading) => {
      if (field === 'updated_at') return readInstant(textOf(cell), reading.time)
      // The decimals of a price may follow from the currency, so it is read when all fields are known.
      if (field === 'price') return cell
      if (field !== 'quantity') return readTextOrId(Product.shape, field, cell)
      const quantity = readQuantity(cell, reading)
      if (!(quantity instanceof Unreadable)) return quantity
      if (!isLenient) return new Unreadable(`${quantity.reason}; --lenient updates the rest of the product`)
      reading.observed?.addLeftOut(field, quantity.reason)
      return undefined
    },
    itemOf: (values, { file, reading }) => {
      const item = { status: 'active', updated_at: instantOf(file.modifiedMs), ...Object.fromEntries(values) }
      // A currency is often a constant, which must not apply to rows without a price.
      if (!values.has('price')) return { ...item, currency: undefined }
      const currency = values.get('currency') as string | undefined
      const price = readPrice(values.get('price'), { decimals: priceDecimals, mark: reading.mark }, currency)
      const wrong = wrongAmount(price, currency, isLenient)
      if (wrong === undefined) return { ...item, price }
      if (!isLenient) return wrong
      reading.observed?.addLeftOut(wrong.field, wrong.reason)
      return { ...item, price: undefined, currency: undefined }
    },
    judge: (item, nowMs) => {
      const { rows, rejections } = judgeProducts([item], nowMs)
      if (rejections[0] !== undefined) return { field: rejections[0].field, reason: rejections[0].message }
      const { productId, updatedAtMs } = rows[0]!
      return { timeMs: updatedAtMs, key: `${productId} ${updatedAtMs}`, withoutFields: [] }
    },
    record: (ingress, items, call) =>
      ingress
        .client(catalogApi)
        .UpsertProducts({ products: items }, clients.rpc.opts<UpsertProductsRequest, UpsertProductsResponse>(call)),
  }
}

/** Why an amount cannot be recorded. The currency is left to the contract, unless the product is to be recorded without it. */
function wrongAmount(price: number | Unreadable, currency: string | undefined, isChecked: boolean) {
  if (price instanceof Unreadable) return { field: 'price', reason: price.reason }
  if (!isChecked || Currency.safeParse(currency).success) return undefined
  const reason = currency === undefined ? 'there is none for a price' : `${JSON.stringify(currency)} is not a currency`
  return { field: 'currency', reason }
}
