import { PRODUCTS, type Product } from './catalog.ts'
import { type Random, randomOf, rankOf, shuffled, zipf } from './random.ts'

/** A visitor: `account_id` when signed in, and `session_id` for this visit. */
export interface Shopper {
  account_id?: string
  session_id: string
}

/** The shop of a seed. */
export interface Shop {
  seed: number
  /** Most popular first. */
  ranked: readonly Product[]
  /** The share of all visits for the products up to each rank. */
  appeal: Float64Array
}

/** Flatter than Zipf's 1, so that one viral product can pass a week's favourite within a minute. */
const SKEW = 0.72
/** Products from this rank on get few visits. */
const SLEEPER_RANK_MIN = 50

const NAMES = ['ada', 'ben', 'cleo', 'dan', 'eva', 'finn', 'gus', 'ida', 'jon', 'kim', 'lea', 'max', 'nora', 'oli', 'pia', 'tom']
const ACCOUNTS_PER_NAME = 20
const SIGNED_IN = 0.6

/** The shop of a seed: each has the same products with another order of popularity. */
export function shopOf(seed: number): Shop {
  const ranked = shuffled(PRODUCTS, randomOf(seed, 'shop').share)
  return { seed, ranked, appeal: zipf(ranked.length, SKEW) }
}

/** The product that will go viral: the lowest score among products with few visits, so that each run has another. It is in stock. */
export function sleeperOf(shop: Shop, scores: ReadonlyMap<string, number>): Product {
  const scoreOf = ({ id }: Product) => scores.get(id) ?? 0
  const sleepers = shop.ranked.slice(SLEEPER_RANK_MIN).filter(({ quantity }) => quantity > 0)
  return sleepers.reduce((lowest, product) => (scoreOf(product) < scoreOf(lowest) ? product : lowest))
}

/** A random product, popular ones more often. */
export function anyProduct(shop: Shop, random: Random): Product {
  return shop.ranked[rankOf(shop.appeal, random.share())]!
}

/** Another product of the same category: the more popular of two, as a search would show it. */
export function neighbourOf(shop: Shop, { id, category }: Product, random: Random): Product {
  const neighbours = shop.ranked.filter((product) => product.category === category && product.id !== id)
  return neighbours[Math.min(random.below(neighbours.length), random.below(neighbours.length))]!
}

/** The id of a random account. */
export function anyAccount(random: Random): string {
  return `${random.pick(NAMES)}-${1 + random.below(ACCOUNTS_PER_NAME)}`
}

/** A shopper with an account, which returns in other visits, or a guest with one visit. */
export function anyShopper(random: Random): Shopper {
  const session_id = `s-${Buffer.from(random.bytes(6)).toString('hex')}`
  if (!random.chance(SIGNED_IN)) return { session_id }
  return { account_id: anyAccount(random), session_id }
}
