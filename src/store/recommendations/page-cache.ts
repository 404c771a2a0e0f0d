import { hash } from 'node:crypto'
import type { RecommendRequest, RecommendResponse, Strategy } from '../../contract/recommendation.ts'
import type { ProductFacts } from '../../ranking/recommend/facts.ts'
import type { FactsReader } from './facts-reader.ts'
import type { KnownShopper } from './known-shopper.ts'
import { asNew } from './rank-query.ts'

type Data = RecommendResponse['data']

/** A page, and the facts that it stands on. */
export interface MadePage {
  data: Data
  /** Products whose facts must be the same, and these facts. */
  standsOn: readonly (readonly [productId: string, facts: ProductFacts | undefined])[]
}

/** Pages that were made lately. */
export interface PageCache {
  /** The page of a question, if it is not too old and its facts are the same now; otherwise a new one. */
  pageFor: (question: string, strategy: Strategy, make: () => Promise<MadePage>) => Promise<Data>
}

export interface PageCacheOptions {
  facts: FactsReader
  /** How old a page may be; 0 keeps none. */
  keepMs: Readonly<Record<Strategy, number>>
}

/** Of all pages. With its facts, a product takes some 250 bytes, and so does a page apart from its products. */
const SIZE_MAX = 80_000
const sizeOf = ({ standsOn }: MadePage) => 1 + standsOn.length

/**
 * Most of an answer is its ranking, and a shopper who did nothing since gets the same one. Of its products the facts are read for each answer, so
 * nothing is shown that has changed. A product that is not on the page can be missing for as long as the page is kept.
 */
export function createPageCache({ facts, keepMs }: PageCacheOptions): PageCache {
  // A Map keeps the order in which entries were added.
  const pages = new Map<string, MadePage & { madeMs: number }>()
  let size = 0

  const isAsMade = async ({ standsOn }: MadePage): Promise<boolean> => {
    const now = await facts.read(standsOn.map(([productId]) => productId))
    return standsOn.every(([productId, was]) => {
      const is = now.get(productId)
      return is === was || (is !== undefined && asNew(is) === was)
    })
  }
  const drop = (key: string) => {
    const page = pages.get(key)
    if (page !== undefined) size -= sizeOf(page)
    pages.delete(key)
  }
  const keep = (key: string, page: MadePage & { madeMs: number }) => {
    drop(key)
    pages.set(key, page)
    size += sizeOf(page)
    while (size > SIZE_MAX) drop(pages.keys().next().value!)
  }

  return {
    pageFor: async (question, strategy, make) => {
      if (keepMs[strategy] === 0) return (await make()).data
      // A question can have hundreds of ids.
      const key = hash('sha256', question, 'base64')
      const known = pages.get(key)
      const madeMs = performance.now()
      if (known !== undefined && madeMs - known.madeMs < keepMs[strategy] && (await isAsMade(known))) return known.data
      const made = await make()
      keep(key, { ...made, madeMs })
      return made.data
    },
  }
}

/** Everything that a page depends on, apart from the catalog and the counts. */
export function questionOf(request: RecommendRequest, shopper: KnownShopper, version: number | undefined): string {
  const { account_id: _account, session_id: _session, history: _history, explain: _explain, ...others } = request
  const { expand: _expand, in_stock: _inStock, ...options } = others
  const { items, interactions } = shopper.history
  const { seen, orderedAtMs, shown } = shopper.facts
  const history = items.flatMap(({ productId, strength }) => [productId, strength])
  return JSON.stringify([version, options, interactions, history, [...seen], [...orderedAtMs], [...shown]])
}
