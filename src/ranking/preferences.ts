import { DAY_MS } from '../contract/fields/time.ts'

/*
 * How much a shopper likes a category or a brand, between 0 and 1.
 *
 * The strength of a category c is the decayed sum of the weights of the shopper's events with its products:
 *
 *   x(c) = Σ weight(event type) · 2^(−age / half-life)
 *
 * over the newest 100 events of the shopper, and of the older ones over the last of each product and event type.
 * Decay by a half-life is that of Y. Ding and X. Li, Time weight collaborative filtering, CIKM 2005. Weights are those of popularity, so
 * a return or a low rating has a negative one. A category with a strength of 0 or less has no affinity. The others share the shopper's interest:
 *
 *   affinity(c) = x(c) / (k + Σ x)      over all categories with x > 0,      k = the highest weight of an event type
 *
 * That is the estimate of a multinomial under a Dirichlet prior of mass k, with all of the prior's mass on what the shopper has not
 * shown yet (C. Zhai and J. Lafferty, A study of smoothing methods for language models applied to information retrieval, ACM TOIS 22(2),
 * 2004, with μ = k). So one event never makes an affinity of 1 (a purchase of now alone makes 0.5), all affinities shrink to 0 when a
 * shopper does nothing more, and multiplying all weights by the same number changes nothing.
 */

export interface PreferenceSettings {
  halfLifeDays: number
}

export interface Strength {
  name: string
  /** Above 0. */
  strength: number
}

export interface Affinity {
  name: string
  affinity: number
}

/** More digits would be noise, because floats are added in any order. */
const DECIMALS = 6

/** The decayed part of an event of an age that is left; 1 for an event of a clock that is ahead. */
export function decayOf(ageMs: number, { halfLifeDays }: PreferenceSettings): number {
  return 0.5 ** (Math.max(0, ageMs) / (halfLifeDays * DAY_MS))
}

/** `total` is the sum of all strengths above 0, also of those that are not listed; `prior` is the highest weight. */
export function affinitiesOf(strengths: readonly Strength[], { total, prior }: { total: number; prior: number }): Affinity[] {
  return strengths.map(({ name, strength }) => ({ name, affinity: Number((strength / (total + prior)).toFixed(DECIMALS)) }))
}
