/** Values of a query. Those that are undefined, null or empty are left out. */
export type QueryValues = Readonly<Record<string, string | number | boolean | readonly string[] | null | undefined>>

/** An address with a query, such as `/products?query=lamp`. */
export function addressOf(path: string, query: QueryValues = {}): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    for (const item of Array.isArray(value) ? (value as readonly string[]) : [value as string | number | boolean]) {
      if (item !== undefined && item !== null && item !== '') parameters.append(name, String(item))
    }
  }
  const text = parameters.toString()
  return text === '' ? path : `${path}?${text}`
}

/** The view of a seller. */
export function sellerAddress(sellerId: string): string {
  return `/sellers/${encodeURIComponent(sellerId)}`
}

/** The view of a product. */
export function productAddress(productId: string): string {
  return `/product/${encodeURIComponent(productId)}`
}
