/*
 * The score of product j for a shopper with the history h_0 (newest), h_1, …:
 *
 *   S_j = Σ_k λ^k · g(type_k) · (s_{h_k j} + ω · C_{h_k j})
 *
 * s is the similarity of two products, C the cosine of their attributes. It is a plain sum, so each of its terms is the share of one event.
 */

export interface ScoreSettings {
  /** λ: the weight of each event relative to the one after it. */
  decay: number
  /** Different products of the history that count. */
  historyMax: number
}

export const SCORE_DEFAULTS: ScoreSettings = { decay: 0.6, historyMax: 20 }

/** Neighbours of a product, best first. */
export interface Row {
  neighbours: Int32Array
  scores: Float32Array
  counts: Uint32Array
  contentNeighbours: Int32Array
  cosines: Float32Array
}

export interface SimilarityRows {
  /** Undefined for a product that the matrix does not know. */
  row: (product: number) => Row | undefined
  /** ω: how much a cosine of 1 adds. */
  contentWeight: number
}

export interface HistoryEntry {
  product: number
  /** g: 1 if all types of events count alike. */
  strength: number
}

export interface Candidate {
  product: number
  /** Above 0. */
  score: number
}

/** One event's part of a score: `weight · (similarity + contentWeight · cosine)`. */
export interface Term {
  /** Which entry of the history. */
  entry: number
  /** λ^k · g */
  weight: number
  similarity: number
  /** Pairs of events behind the similarity. */
  count: number
  cosine: number
}

/** The newest different products of a history. @param history  newest first, with repeats */
export function distinctHistory<Entry extends HistoryEntry>(history: readonly Entry[], { historyMax }: ScoreSettings): Entry[] {
  const seen = new Set<number>()
  const distinct: Entry[] = []
  for (const entry of history) {
    if (distinct.length === historyMax) break
    if (seen.has(entry.product)) continue
    seen.add(entry.product)
    distinct.push(entry)
  }
  return distinct
}

/** Gives every product with a score above 0 for a distinct history, newest first, in no order. */
export type Scorer = (history: readonly HistoryEntry[], rows: SimilarityRows, settings: ScoreSettings) => Candidate[]

/** A scorer takes 12 bytes for each product, and is used for one history after the other. */
export function createScorer(products: number): Scorer {
  const sums = new Float64Array(products)
  const touched = new Int32Array(products)
  return (history, rows, { decay }) => {
    let count = 0
    const add = (neighbours: Int32Array, values: Float32Array, weight: number) => {
      for (let at = 0; at < neighbours.length; at++) {
        const product = neighbours[at]!
        const term = weight * values[at]!
        if (term === 0) continue
        if (sums[product] === 0) touched[count++] = product
        sums[product]! += term
      }
    }
    history.forEach(({ product, strength }, age) => {
      const row = rows.row(product)
      const weight = decay ** age * strength
      if (row === undefined || weight <= 0) return
      add(row.neighbours, row.scores, weight)
      if (rows.contentWeight > 0) add(row.contentNeighbours, row.cosines, weight * rows.contentWeight)
    })
    const candidates: Candidate[] = []
    for (let at = 0; at < count; at++) {
      const product = touched[at]!
      candidates.push({ product, score: sums[product]! })
      sums[product] = 0
    }
    return candidates
  }
}

/** Best first; ties by number, so that two answers never disagree. */
export function byScore(a: Candidate, b: Candidate): number {
  return b.score - a.score || a.product - b.product
}

/** The terms of a product's score, in the order of the history; their sum is the score. */
export function termsOf(
  product: number,
  history: readonly HistoryEntry[],
  rows: SimilarityRows,
  { decay }: ScoreSettings,
): Term[] {
  return history.flatMap(({ product: had, strength }, entry) => {
    const row = rows.row(had)
    const weight = decay ** entry * strength
    if (row === undefined || weight <= 0) return []
    const at = row.neighbours.indexOf(product)
    const contentAt = rows.contentWeight > 0 ? row.contentNeighbours.indexOf(product) : -1
    if (at < 0 && contentAt < 0) return []
    return {
      entry,
      weight,
      similarity: row.scores[at] ?? 0,
      count: row.counts[at] ?? 0,
      cosine: row.cosines[contentAt] ?? 0,
    }
  })
}
