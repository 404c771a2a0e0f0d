import type { RecommendRequest, RecommendResponse } from '../../contract/recommendation.ts'
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
  /** The page of a question, if its facts are the same now; otherwise a new one. */
  pageFor: (question: string, make: () => Promise<MadePage>) => Promise<Data>
}

export interface PageCacheOptions {
  facts: FactsReader
  /** How long a page is kept; 0 keeps none. */
  keepMs: number
}

/** One with 20 products takes some 5 KB. */
const PAGES_MAX = 4_000

/**
 * Most of an answer is its ranking, and a shopper who did nothing since gets the same one. Of its products the facts are read for each answer, so
 * nothing is shown that has changed. A product that is not on the page can be missing for as long as the page is kept.
 */
export function createPageCache({ facts, keepMs }: PageCacheOptions): PageCache {
  // A Map keeps the order in which entries were added.
  const pages = new Map<string, MadePage & { madeMs: number }>()

  const isAsMade = async ({ standsOn }: MadePage): Promise<boolean> => {
    const now = await facts.read(standsOn.map(([productId]) => productId))
    return standsOn.every(([productId, was]) => {
      const is = now.get(productId)
      return is === was || (is !== undefined && asNew(is) === was)
    })
  }

  return {
    pageFor: async (question, make) => {
      const known = pages.get(question)
      const madeMs = performance.now()
      if (known !== undefined && madeMs - known.madeMs < keepMs && (await isAsMade(known))) return known.data
      const made = await make()
      if (keepMs === 0) return made.data
      pages.delete(question)
      pages.set(question, { ...made, madeMs })
      if (pages.size > PAGES_MAX) pages.delete(pages.keys().next().value!)
      return made.data
    },
  }
}

/** Everything that a page depends on, apart from the catalog and the counts. */
export function questionOf(request: RecommendRequest, shopper: KnownShopper, version: number | undefined): string {
  const { account_id: _account, session_id: _session, history: _history, explain: _explain, ...options } = request
  const { items, interactions } = shopper.history
  const { seen, orderedAtMs, shown } = shopper.facts
  const history = items.flatMap(({ productId, strength }) => [productId, strength])
  return JSON.stringify([version, options, interactions, history, [...seen], [...orderedAtMs], [...shown]])
}
