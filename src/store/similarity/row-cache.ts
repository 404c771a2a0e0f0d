/** Rows of one version that were read, within a number of bytes, by the number of their product. */
export interface RowCache<Row> {
  get: (productNo: number) => Row | undefined
  add: (productNo: number, row: Row) => void
  bytes: () => number
}

/**
 * Goes round the products when it is full, and drops rows that were not used since the last round. Numbers of products are places in an
 * array, because a Map of 50,000 rows takes ten times as long for each row.
 */
export function createRowCache<Row>(products: number, bytesMax: number, bytesOf: (row: Row) => number): RowCache<Row> {
  const rows = new Array<Row | undefined>(products).fill(undefined)
  const isUsed = new Uint8Array(products)
  let hand = 0
  let bytes = 0

  const dropNext = () => {
    const row = rows[hand]
    if (row !== undefined && isUsed[hand] === 0) {
      bytes -= bytesOf(row)
      rows[hand] = undefined
    }
    isUsed[hand] = 0
    hand = (hand + 1) % products
  }

  return {
    get: (productNo) => {
      const row = rows[productNo]
      if (row !== undefined) isUsed[productNo] = 1
      return row
    },
    add: (productNo, row) => {
      if (rows[productNo] !== undefined) return
      rows[productNo] = row
      bytes += bytesOf(row)
      while (bytes > bytesMax) dropNext()
    },
    bytes: () => bytes,
  }
}
