import { RANKING_DEFAULTS } from '../similarity/ranking-settings.ts'

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

export const SCORE_DEFAULTS: ScoreSettings = { decay: RANKING_DEFAULTS.decay, historyMax: 20 }

/** Neighbours of a product, best first. */
export interface ScoreRow {
  neighbours: Int32Array
  scores: Float32Array
  contentNeighbours: Int32Array
  cosines: Float32Array
}

/** With the number of pairs behind each score. */
export interface Row extends ScoreRow {
  counts: Uint32Array
}

export interface ScoreRows<Each extends ScoreRow = ScoreRow> {
  /** Undefined for a product that the matrix does not know. */
  row: (product: number) => Each | undefined
  /** ω: how much a cosine of 1 adds. */
  contentWeight: number
}

export type SimilarityRows = ScoreRows<Row>

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

/** Gives the `max` products with the highest scores for a distinct history, newest first; best first, ties by number. */
export type Scorer = (history: readonly HistoryEntry[], rows: ScoreRows, settings: ScoreSettings, max: number) => Candidate[]

/** The scores of a history, in arrays that the next history overwrites. */
interface Sums {
  /** Products with a score, in the order in which they were found. */
  products: Int32Array
  scores: Float64Array
}

/**
 * Adds up in a table that has room for the products of the rows, because an array with a place for each product of a shop does not fit into the
 * caches of a processor: that took twice as long.
 */
function createAdder(): (history: readonly HistoryEntry[], rows: ScoreRows, settings: ScoreSettings) => Sums {
  /** The place of a product in the lists, by a hash; free places are 0. */
  let places = new Int32Array(0)
  let products = new Int32Array(0)
  let scores = new Float64Array(0)

  const makeRoom = (count: number) => {
    if (products.length < count) {
      products = new Int32Array(count)
      scores = new Float64Array(count)
      places = new Int32Array(2 ** Math.ceil(Math.log2(2 * count)))
    } else places.fill(0)
  }

  return (history, rows, { decay }) => {
    const terms = history.map(({ product }) => rows.row(product))
    makeRoom(terms.reduce((sum, row) => sum + (row === undefined ? 0 : row.neighbours.length + row.contentNeighbours.length), 1))
    const mask = places.length - 1
    let count = 0
    const add = (neighbours: Int32Array, values: Float32Array, weight: number) => {
      for (let at = 0; at < neighbours.length; at++) {
        const term = weight * values[at]!
        if (term === 0) continue
        const product = neighbours[at]!
        let hash = Math.imul(product, 0x9e3779b1) >>> 7
        let place = places[(hash &= mask)]!
        while (place > 0 && products[place - 1] !== product) place = places[(hash = (hash + 1) & mask)]!
        if (place === 0) {
          places[hash] = place = ++count
          products[place - 1] = product
          scores[place - 1] = 0
        }
        scores[place - 1]! += term
      }
    }
    terms.forEach((row, age) => {
      const weight = decay ** age * history[age]!.strength
      if (row === undefined || weight <= 0) return
      add(row.neighbours, row.scores, weight)
      if (rows.contentWeight > 0) add(row.contentNeighbours, row.cosines, weight * rows.contentWeight)
    })
    return { products: products.subarray(0, count), scores: scores.subarray(0, count) }
  }
}

/** A scorer is used for one history after the other. */
export function createScorer(): Scorer {
  const add = createAdder()
  return (history, rows, settings, max) => {
    const { products, scores } = add(history, rows, settings)
    const lowest = lowestOfBest(scores, max)
    const best: Candidate[] = []
    for (let at = 0; at < products.length; at++) {
      if (scores[at]! >= lowest) best.push({ product: products[at]!, score: scores[at]! })
    }
    return best.sort(byScore).slice(0, max)
  }
}

/** The score of the last of the `max` best ones, from a heap with the lowest of these on top: few of thousands of scores enter it. */
function lowestOfBest(scores: Float64Array, max: number): number {
  if (scores.length <= max) return 0
  const heap = scores.slice(0, max).sort()
  for (let at = max; at < scores.length; at++) {
    const score = scores[at]!
    if (score > heap[0]!) replaceLowest(heap, score)
  }
  return heap[0] ?? Infinity
}

function replaceLowest(heap: Float64Array, score: number): void {
  let at = 0
  for (let child = 1; child < heap.length; child = 2 * at + 1) {
    if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++
    if (heap[child]! >= score) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = score
}

/** Best first; ties by number, so that two answers never disagree. */
function byScore(a: Candidate, b: Candidate): number {
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
