/*
 * "Shoppers who had i went on to j", for every pair of products, from the order in which shoppers met them.
 *
 * For two events of one shopper, a with product i and b with product j, at most `window` positions apart:
 *
 *   f_ij = Σ (b after a ? 1 : ρ) · |b − a|^(−γ)        c_ij = how many such pairs (a, b) there are
 *   s_ij = f_ij · d_i^(−α) · d_j^(−β) · c_ij / (c_ij + κ)
 *
 * A pair's weight is rounded to a multiple of 2^(−20), so that f_ij is exact in any order of addition, and s_ij to 32 bits.
 * d is the number of a product's events that count. The normalization by popularity with free exponents is that of F. Aiolli, Efficient
 * top-N recommendation for very large scale binary rated datasets, RecSys 2013; the shrinkage c/(c+κ) is that of R. Bell and Y. Koren,
 * Improved neighborhood-based collaborative filtering, KDD Cup 2007. Directed counts that decay with the gap follow sequential rules:
 * M. Ludewig and D. Jannach, Evaluation of session-based recommendation algorithms, UMUAI 28, 2018.
 */
export interface SimilaritySettings {
  /** Exponent of the popularity of the product that a shopper had. */
  alpha: number
  /** Exponent of the popularity of the product that followed. */
  beta: number
  /** Exponent of the gap in positions. */
  gamma: number
  /** Weight of pairs against the order of time. */
  rho: number
  /** Pairs that a similarity is shrunk by. */
  kappa: number
  /** Greatest gap in positions. */
  window: number
  neighboursMax: number
  /** The newest events of a shopper that count, after repeats in a row became one. */
  shopperEventsMax: number
  /** The newest events of a product from which pairs are counted. */
  productEventsMax: number
  /** A shopper with more events on one UTC day is left out. */
  botEventsPerDay: number
  /** Weight of the content, as a share of the median of all products' best similarities: similarities grow with the amount of data. */
  contentFactor: number
  /** Whether a product may follow itself: repeats in a row stay, and a product may be its own neighbour. For the next click of a session. */
  repeats: boolean
}

export const SIMILARITY_DEFAULTS: SimilaritySettings = {
  alpha: 0.5,
  beta: 0.2,
  gamma: 0.5,
  rho: 0.3,
  kappa: 1,
  window: 20,
  neighboursMax: 100,
  shopperEventsMax: 50,
  productEventsMax: 2_000,
  botEventsPerDay: 1_000,
  contentFactor: 0.5,
  repeats: false,
}

/** Neighbours by content of each product. */
export const CONTENT_NEIGHBOURS_MAX = 100

/** A neighbour is sorted by its score and its number in one float of 53 bits; a score above 0 has 31. */
export const PRODUCTS_MAX = 2 ** 22

/** The pairs of one event with one product are counted in 16 bits. */
export const WINDOW_MAX = 2 ** 15 - 1
