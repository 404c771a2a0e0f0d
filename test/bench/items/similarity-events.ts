import { createRandom } from '../../../src/ranking/evaluation/random.ts'

export const PRODUCTS = 100_000

/** Mean events of a shopper, whose number is exponential: few shoppers have more than 50. */
const SHOPPER_EVENTS = 10
/** The weight of the product of rank r is (r + 10)^−0.8, so that the most popular 1 % have a fifth of the events. */
const RANK_OFFSET = 10
const RANK_EXPONENT = -0.8

/** Calls back for events of shoppers, one shopper after the other; the same events every time. */
export function eachEvent(events: number, add: (shopper: number, product: number) => void): void {
  const random = createRandom(20)
  const products = shuffled(PRODUCTS, random)
  const weights = cumulativeWeights(PRODUCTS)
  const draw = () => products[rankAt(weights, random() * weights[PRODUCTS - 1]!)]!
  for (let shopper = 0, count = 0; count < events; shopper++) {
    const own = Math.min(1 + Math.floor(-Math.log(1 - random()) * SHOPPER_EVENTS), events - count)
    for (let at = 0; at < own; at++) add(shopper, draw())
    count += own
  }
}

/** Numbers of products are in the order of their ids, not of their popularity. */
function shuffled(count: number, random: () => number): Int32Array {
  const numbers = new Int32Array(count).map((_, at) => at)
  for (let at = count - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1))
    const number = numbers[at]!
    numbers[at] = numbers[other]!
    numbers[other] = number
  }
  return numbers
}

function cumulativeWeights(count: number): Float64Array {
  let sum = 0
  return new Float64Array(count).map((_, rank) => (sum += (rank + RANK_OFFSET) ** RANK_EXPONENT))
}

function rankAt(weights: Float64Array, value: number): number {
  let [from, to] = [0, weights.length - 1]
  while (from < to) {
    const middle = (from + to) >> 1
    if (weights[middle]! < value) from = middle + 1
    else to = middle
  }
  return from
}
