import fc from 'fast-check'
import { BLEND_DEFAULTS } from '../../../src/ranking/recommend/blend.ts'
import { type Candidate, candidatesOf, type CandidateLists } from '../../../src/ranking/recommend/candidates.ts'
import type { ProductFacts } from '../../../src/ranking/recommend/facts.ts'
import type { HistoryItem } from '../../../src/ranking/recommend/history.ts'
import type { RecommendInput, RecommendSettings } from '../../../src/ranking/recommend/recommend.ts'
import { RULE_DEFAULTS } from '../../../src/ranking/recommend/rules.ts'
import { createScorer, SCORE_DEFAULTS, type SimilarityRows, termsOf } from '../../../src/ranking/recommend/score.ts'
import type { Terms } from '../../../src/ranking/recommend/explanation.ts'

export const NOW_MS = Date.parse('2026-03-01T12:00:00Z')
const PRODUCTS = 40
export const idOf = (product: number): string => `p${product}`
const numberOf = (productId: string): number => Number(productId.slice(1))

export const SETTINGS: RecommendSettings = {
  blend: 'similarity',
  blends: BLEND_DEFAULTS,
  rules: RULE_DEFAULTS,
  seen: 'penalty',
  interactionsMin: 5,
  decay: SCORE_DEFAULTS.decay,
}

/** A product that can be bought, of which little else is known. */
export function facts(changes: Partial<ProductFacts> = {}): ProductFacts {
  return { status: 'active', trending: 0, overall: 0, isNew: false, ...changes }
}

export function item(productId: string, changes: Partial<HistoryItem> = {}): HistoryItem {
  return { productId, eventId: undefined, eventType: 'view', occurredAtMs: NOW_MS, strength: 1, ...changes }
}

/** A recommendation of candidates of the same similarity, to which the changes make the difference. */
export function input(known: Record<string, ProductFacts>, changes: Partial<RecommendInput> = {}): RecommendInput {
  const candidates = Object.keys(known).map((productId): Candidate => ({ productId, similarity: 1, sources: ['neighbours'] }))
  return {
    strategy: 'personal',
    history: [item('had')],
    candidates,
    facts: new Map(Object.entries(known)),
    shopper: { seen: new Set(), orderedAtMs: new Map(), shown: new Map(), nowMs: NOW_MS },
    options: { limit: 20, filters: {} },
    settings: SETTINGS,
    ...changes,
  }
}

const product = fc.integer({ min: 0, max: PRODUCTS - 1 })
const productId = product.map(idOf)
const value = fc.float({ min: Math.fround(1e-9), max: 20, noNaN: true })
const row = fc.uniqueArray(fc.tuple(product, value, fc.integer({ min: 1, max: 500 })), {
  selector: ([each]) => each,
  maxLength: 15,
})
const oneOf = (...names: string[]) => fc.option(fc.constantFrom(...names), { nil: undefined })

const factsArbitrary: fc.Arbitrary<ProductFacts> = fc.record({
  category: oneOf('lighting', 'tables', 'rugs'),
  brand: oneOf('Lumen', 'Oak', 'Loom'),
  sellerId: oneOf('north', 'south'),
  price: fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }),
  currency: oneOf('EUR', 'USD'),
  quantity: fc.option(fc.integer({ min: -2, max: 12 }), { nil: undefined }),
  status: oneOf('active', 'active', 'hidden', 'deleted') as fc.Arbitrary<ProductFacts['status']>,
  trending: fc.double({ min: -5, max: 1e6, noNaN: true }),
  overall: fc.double({ min: -5, max: 1e6, noNaN: true }),
  isNew: fc.boolean(),
})

/** Any recommendation, with the rows that it is made from. */
export const recommendationArbitrary = fc
  .record({
    rows: fc.array(row, { minLength: PRODUCTS, maxLength: PRODUCTS }),
    contentRows: fc.array(row, { minLength: PRODUCTS, maxLength: PRODUCTS }),
    contentWeight: fc.constantFrom(0, 0.08),
    history: fc.uniqueArray(productId, { maxLength: 20 }),
    strengths: fc.array(fc.constantFrom(1, 0.5, 2), { minLength: 20, maxLength: 20 }),
    facts: fc.array(fc.option(factsArbitrary, { nil: undefined }), { minLength: PRODUCTS, maxLength: PRODUCTS }),
    lists: fc.record({
      popularInCategory: fc.array(productId, { maxLength: 20 }),
      trending: fc.array(productId, { maxLength: 20 }),
      rising: fc.array(productId, { maxLength: 20 }),
      fresh: fc.array(productId, { maxLength: 20 }),
      popular: fc.array(productId, { maxLength: 20 }),
    }),
    strategy: fc.constantFrom('personal' as const, 'popular' as const),
    blend: fc.constantFrom('similarity' as const, 'weighted' as const),
    seen: fc.constantFrom('keep' as const, 'penalty' as const, 'remove' as const),
    limit: fc.integer({ min: 1, max: 40 }),
    categoryMax: fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
    brandMax: fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
    newShare: fc.constantFrom(0, 0.1, 0.5),
    ordered: fc.array(fc.tuple(productId, fc.integer({ min: -1, max: 40 })), { maxLength: 10 }),
    shown: fc.array(fc.tuple(productId, fc.integer({ min: 1, max: 8 })), { maxLength: 10 }),
    categoryIds: fc.option(fc.constant(new Set(['lighting', 'rugs'])), { nil: undefined }),
  })
  .map(recommendationOf)

interface Drawn {
  rows: [number, number, number][][]
  contentRows: [number, number, number][][]
  contentWeight: number
  history: string[]
  strengths: number[]
  facts: (ProductFacts | undefined)[]
  lists: Omit<CandidateLists, 'neighbours'>
  strategy: RecommendInput['strategy']
  blend: 'similarity' | 'weighted'
  seen: 'keep' | 'penalty' | 'remove'
  limit: number
  categoryMax: number | undefined
  brandMax: number | undefined
  newShare: number
  ordered: [string, number][]
  shown: [string, number][]
  categoryIds: Set<string> | undefined
}

export interface TestRecommendation {
  lists: CandidateLists
  similarityOf: (productId: string) => number
  input: RecommendInput
  terms: Terms
}

function recommendationOf(drawn: Drawn): TestRecommendation {
  const rows = rowsOf(drawn)
  const history = drawn.history.map((had, at) =>
    item(had, { strength: drawn.strengths[at]!, occurredAtMs: NOW_MS - at * 60_000 }),
  )
  const entries = history.map(({ productId: had, strength }) => ({ product: numberOf(had), strength }))
  const scored = createScorer()(entries, rows, SCORE_DEFAULTS, Infinity)
  const scores = new Map(scored.map(({ product: number, score }) => [idOf(number), score]))
  const similarityOf = (id: string) => scores.get(id) ?? 0
  const lists = {
    ...drawn.lists,
    neighbours: scored.slice(0, 200).map(({ product: number }) => idOf(number)),
  }
  const known = new Map(drawn.facts.flatMap((each, number) => (each === undefined ? [] : [[idOf(number), each] as const])))
  const { blend, seen, limit, brandMax, categoryIds, categoryMax, newShare } = drawn
  return {
    lists,
    similarityOf,
    input: {
      strategy: drawn.strategy,
      history,
      candidates: candidatesOf(lists, { strategy: drawn.strategy, similarityOf }),
      facts: known,
      shopper: {
        seen: new Set(drawn.history),
        orderedAtMs: new Map(drawn.ordered.map(([id, days]) => [id, NOW_MS - days * 86_400_000])),
        shown: new Map(drawn.shown),
        nowMs: NOW_MS,
      },
      options: { limit, blend, seen, brandMax, filters: { categoryIds } },
      settings: { ...SETTINGS, rules: { ...RULE_DEFAULTS, categoryMax, newShare } },
    },
    terms: {
      history,
      facts: known,
      decay: SCORE_DEFAULTS.decay,
      contentWeight: rows.contentWeight,
      termsOf: (id) => termsOf(numberOf(id), entries, rows, SCORE_DEFAULTS),
    },
  }
}

/** Rows as the similarities have them. */
export function rowsOf({
  rows,
  contentRows,
  contentWeight,
}: Pick<Drawn, 'rows' | 'contentRows' | 'contentWeight'>): SimilarityRows {
  return {
    contentWeight,
    row: (number) => {
      const [own, content] = [rows[number], contentRows[number]]
      if (own === undefined) return undefined
      return {
        neighbours: Int32Array.from(own, ([other]) => other),
        scores: Float32Array.from(own, ([, score]) => score),
        counts: Uint32Array.from(own, ([, , count]) => count),
        contentNeighbours: Int32Array.from(content ?? [], ([other]) => other),
        cosines: Float32Array.from(content ?? [], ([, score]) => Math.min(1, score)),
      }
    },
  }
}
