import fc from 'fast-check'
import { createSequenceCollector, type Sequences } from '../../src/ranking/evaluation/sequences.ts'

export const PRODUCTS = 8

/** The products of each shopper, with times if they are wanted. */
export const lists: fc.Arbitrary<number[][]> = fc.array(fc.array(fc.nat(PRODUCTS - 1), { maxLength: 9 }), {
  minLength: 2,
  maxLength: 12,
})

/** Sequences of lists of product numbers; all products exist, also those without events. @param timeOf  of the event at a place of a shopper */
export function sequencesOf(
  lists: readonly (readonly number[])[],
  timeOf?: (shopper: number, place: number) => number,
): Sequences {
  const collector = createSequenceCollector(2)
  for (let product = 0; product < PRODUCTS; product++) collector.add(1, 'all', String(product))
  lists.forEach((products, shopper) => {
    products.forEach((product, place) => collector.add(0, String(shopper), String(product), timeOf?.(shopper, place)))
  })
  return collector.finish().parts[0]!
}
