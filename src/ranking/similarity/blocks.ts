import type { Attributes } from './content.ts'
import type { Histories } from './histories.ts'
import { sharedInt32 } from './shared-arrays.ts'

/** Enough that the last block of a thread is short, and each long enough that taking it costs nothing. */
export const BLOCKS = 256

/** Where each block of products ends; blocks have about equal work. */
export function blockEndsOf(products: number, workOf: (product: number) => number, blocks = BLOCKS): Int32Array {
  let total = 0
  for (let product = 0; product < products; product++) total += workOf(product)
  const ends: number[] = []
  let done = 0
  for (let product = 0; product < products; product++) {
    done += workOf(product)
    if (done >= (total * (ends.length + 1)) / blocks || product === products - 1) ends.push(product + 1)
  }
  const shared = sharedInt32(ends.length)
  shared.set(ends)
  return shared
}

/** A row costs its events, and a little by itself. */
export const pairWork =
  ({ sourceStart }: Histories) =>
  (product: number): number =>
    1 + sourceStart[product + 1]! - sourceStart[product]!

/** A row costs the products of its attributes. */
export const contentWork =
  ({ start, attribute, ownerStart }: Attributes) =>
  (product: number): number => {
    let work = 1
    for (let at = start[product]!; at < start[product + 1]!; at++) {
      const number = attribute[at]!
      work += ownerStart[number + 1]! - ownerStart[number]!
    }
    return work
  }
