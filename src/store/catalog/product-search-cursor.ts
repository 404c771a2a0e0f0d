import { createHash } from 'node:crypto'
import { invalidField } from '../../contract/decided-error.ts'
import type { SearchOrder, SearchProductsRequest } from '../../contract/product-search.ts'
import { decodeCursor, encodeCursor } from '../database/cursor.ts'

/** Where a page ended. The order of the first page is that of all its pages. */
export interface Position {
  order: SearchOrder
  /** In millionths, as a text; null for a product without events. */
  score: string | null
  productId: string
}

const SEARCH = 'catalog search'

/** A hash of everything that all pages of a search share. */
function questionOf({ query, category, brand, seller_id: sellerId, status, seen }: SearchProductsRequest): string {
  const parts = [query, category, brand, sellerId, status, seen].map((part) => part ?? null)
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 11)
}

export function cursorOf(request: SearchProductsRequest, { order, score, productId }: Position): string {
  return encodeCursor(SEARCH, [questionOf(request), order, score ?? '', productId])
}

/** Where the page before ended; undefined for the first page. @throws DecidedError for a cursor of another search */
export function startOf(request: SearchProductsRequest): Position | undefined {
  if (request.cursor === undefined) return undefined
  const [question, order, score = '', productId] = decodeCursor(SEARCH, request.cursor) ?? []
  const isOrder = order === 'score' || order === 'product_id'
  if (question !== questionOf(request) || !isOrder || !/^(-?\d{1,18})?$/.test(score) || productId === undefined) {
    throw invalidField('cursor', 'is not a cursor of this search')
  }
  return { order, score: score === '' ? null : score, productId }
}
