import fc from 'fast-check'
import { expect, test } from 'vitest'
import { attributesOf, contentOf, type Content } from '../../src/ranking/similarity/content.ts'

interface Like {
  product: number
  cosine: number
}

/** The obvious slow way. */
function slowContent(lists: readonly (readonly number[])[], neighboursMax: number): Like[][] {
  const owners = (attribute: number) => lists.filter((list) => list.includes(attribute)).length
  const kept = lists.map((list) =>
    [...new Set(list)]
      .filter((attribute) => owners(attribute) >= 2 && owners(attribute) <= 0.05 * lists.length)
      .sort((a, b) => a - b),
  )
  const sum = (attributes: readonly number[]) =>
    attributes.reduce((total, attribute) => total + Math.log(lists.length / owners(attribute)) ** 2, 0)
  return kept.map((own, i) =>
    kept
      .map((other, product) => ({
        product,
        cosine: Math.fround(
          sum(own.filter((attribute) => other.includes(attribute))) / (Math.sqrt(sum(own)) * Math.sqrt(sum(other))),
        ),
      }))
      .filter(({ product, cosine }) => product !== i && cosine > 0)
      .sort((a, b) => b.cosine - a.cosine || a.product - b.product)
      .slice(0, neighboursMax),
  )
}

function listsOf({ products, neighboursMax, length, neighbour, cosine }: Content): Like[][] {
  return Array.from({ length: products }, (_, product) =>
    Array.from({ length: length[product]! }, (_, rank) => {
      const at = product * neighboursMax + rank
      return { product: neighbour[at]!, cosine: cosine[at]! }
    }),
  )
}

const lists = fc.array(fc.array(fc.nat(30), { maxLength: 4 }), { minLength: 40, maxLength: 80 })

test('content neighbours are those of the slow reference', () => {
  fc.assert(
    fc.property(lists, fc.integer({ min: 1, max: 6 }), (lists, neighboursMax) => {
      expect(listsOf(contentOf(attributesOf(lists), neighboursMax))).toEqual(slowContent(lists, neighboursMax))
    }),
    { numRuns: 200 },
  )
})

test('an attribute of one product, and one of more than 5 % of all, connect nothing', () => {
  const lists: number[][] = Array.from({ length: 100 }, () => [])
  for (let product = 0; product < 6; product++) lists[product]!.push(0)
  for (let product = 10; product < 15; product++) lists[product]!.push(1)
  lists[20]!.push(2)
  expect(listsOf(contentOf(attributesOf(lists))).map((row) => row.length)).toEqual(
    lists.map((_, product) => (product >= 10 && product < 15 ? 4 : 0)),
  )
})

test('an attribute that is named twice counts once', () => {
  const lists = Array.from({ length: 100 }, (_, product) => (product < 2 ? [3, 3] : []))
  expect(listsOf(contentOf(attributesOf(lists)))[0]).toEqual([{ product: 1, cosine: 1 }])
})
