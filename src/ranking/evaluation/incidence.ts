import type { Train } from './cases.ts'

/** Which shoppers had which products, each pair once, without any order. */
export interface Incidence {
  products: number
  shoppers: number
  /** Where the products of each shopper begin, and the end. */
  shopperStart: Int32Array
  /** In ascending order for each shopper. */
  product: Int32Array
  /** Where the shoppers of each product begin, and the end. */
  productStart: Int32Array
  shopper: Int32Array
}

export function incidenceOf({ sequences, length }: Train): Incidence {
  const { shoppers, products, start } = sequences
  const shopperStart = new Int32Array(shoppers + 1)
  const product = new Int32Array(sequences.product.length)
  for (let shopper = 0, end = 0; shopper < shoppers; shopper++) {
    const from = start[shopper]!
    const distinct = Int32Array.from(new Set(sequences.product.subarray(from, from + length[shopper]!))).sort()
    product.set(distinct, end)
    end += distinct.length
    shopperStart[shopper + 1] = end
  }
  const pairs = shopperStart[shoppers]!
  return { products, shoppers, shopperStart, product: product.subarray(0, pairs), ...transposed(shopperStart, product, products) }
}

function transposed(
  shopperStart: Int32Array,
  product: Int32Array,
  products: number,
): Pick<Incidence, 'productStart' | 'shopper'> {
  const pairs = shopperStart.at(-1)!
  const productStart = new Int32Array(products + 1)
  for (let pair = 0; pair < pairs; pair++) productStart[product[pair]! + 1]! += 1
  for (let number = 0; number < products; number++) productStart[number + 1]! += productStart[number]!
  const next = productStart.slice()
  const shopper = new Int32Array(pairs)
  for (let one = 0; one + 1 < shopperStart.length; one++) {
    for (let pair = shopperStart[one]!; pair < shopperStart[one + 1]!; pair++) shopper[next[product[pair]!]!++] = one
  }
  return { productStart, shopper }
}

/** How many shoppers had both products, for one product after the other. */
export interface CommonShoppers {
  /** Counts for a product with all others. Returns how many are in `touched`. */
  count: (product: number) => number
  touched: Int32Array
  /** By product; valid for touched products until the next call. */
  counts: Float64Array
}

export function createCommonShoppers({ products, shopperStart, product, productStart, shopper }: Incidence): CommonShoppers {
  const counts = new Float64Array(products)
  const touched = new Int32Array(products)
  let length = 0
  return {
    counts,
    touched,
    count: (own) => {
      for (let at = 0; at < length; at++) counts[touched[at]!] = 0
      length = 0
      for (let at = productStart[own]!; at < productStart[own + 1]!; at++) {
        const one = shopper[at]!
        for (let pair = shopperStart[one]!; pair < shopperStart[one + 1]!; pair++) {
          const other = product[pair]!
          if (other === own) continue
          if (counts[other] === 0) touched[length++] = other
          counts[other]! += 1
        }
      }
      return length
    },
  }
}

export function sizeOf({ productStart }: Incidence, product: number): number {
  return productStart[product + 1]! - productStart[product]!
}
