import { createBest } from './best.ts'
import { startsOf } from './histories.ts'
import { CONTENT_NEIGHBOURS_MAX } from './settings.ts'
import { sharedFloat32, sharedInt32 } from './shared-arrays.ts'

/** The products that are most like each product by their attributes: row i is at i · neighboursMax, best first, ties by the smaller number. */
export interface Content {
  products: number
  neighboursMax: number
  length: Int32Array
  neighbour: Int32Array
  /** Above 0, at most 1. */
  cosine: Float32Array
}

/** Which products have which attributes. All arrays are shared between threads, and nothing changes them. */
export interface Attributes {
  products: number
  /** Where the attributes of each product begin, and the end. */
  start: Int32Array
  attribute: Int32Array
  /** Where the products of each attribute begin, and the end. */
  ownerStart: Int32Array
  owner: Int32Array
}

/** An attribute of fewer products connects nothing. */
const OWNERS_MIN = 2
/** An attribute of a greater share of all products says nothing about one of them. */
const OWNERS_SHARE_MAX = 0.05

/**
 * Attributes that count, i.e. those of at least two products and of at most 5 % of all.
 * @param attributesOf  the attributes of each product, as whole numbers from 0, each once
 */
export function attributesOf(lists: readonly (readonly number[])[]): Attributes {
  const products = lists.length
  const owners = new Map<number, number>()
  for (const list of lists) for (const attribute of new Set(list)) owners.set(attribute, (owners.get(attribute) ?? 0) + 1)
  const counting = [...owners.keys()].filter((attribute) => counts(owners.get(attribute)!, products)).sort((a, b) => a - b)
  const numbers = new Map(counting.map((attribute, number) => [attribute, number]))
  const kept = lists.map((list) => [...new Set(list)].flatMap((attribute) => numbers.get(attribute) ?? []).sort((a, b) => a - b))
  const start = startsOf(products, (product) => kept[product]!.length)
  const attribute = sharedInt32(start[products]!)
  const ownerStart = startsOf(counting.length, (number) => owners.get(counting[number]!)!)
  const owner = sharedInt32(start[products]!)
  const next = ownerStart.slice()
  kept.forEach((list, product) => {
    attribute.set(list, start[product])
    for (const number of list) owner[next[number]!++] = product
  })
  return { products, start, attribute, ownerStart, owner }
}

function counts(owners: number, products: number): boolean {
  return owners >= OWNERS_MIN && owners <= OWNERS_SHARE_MAX * products
}

/** Rows that all threads can write. */
export function sharedContent(products: number, neighboursMax = CONTENT_NEIGHBOURS_MAX): Content {
  const cells = products * neighboursMax
  return {
    products,
    neighboursMax,
    length: sharedInt32(products),
    neighbour: sharedInt32(cells),
    cosine: sharedFloat32(cells),
  }
}

/** One thread; the numbers of the pool of threads are the same. */
export function contentOf(attributes: Attributes, neighboursMax = CONTENT_NEIGHBOURS_MAX): Content {
  const content = sharedContent(attributes.products, neighboursMax)
  createContentCounter(attributes, content)(0, attributes.products)
  return content
}

/**
 * The cosine of two sets of attributes, each weighted by its inverse document frequency ln(P / owners): G. Salton and C. Buckley,
 * Term-weighting approaches in automatic text retrieval, Information Processing & Management 24(5), 1988.
 */
export function createContentCounter(attributes: Attributes, content: Content): (from: number, to: number) => void {
  const { products, start, attribute, ownerStart, owner } = attributes
  const squares = Float64Array.from(
    { length: ownerStart.length - 1 },
    (_, number) => Math.log(products / (ownerStart[number + 1]! - ownerStart[number]!)) ** 2,
  )
  const norms = Float64Array.from({ length: products }, (_, i) =>
    Math.sqrt(attribute.subarray(start[i], start[i + 1]).reduce((sum, number) => sum + squares[number]!, 0)),
  )
  const sums = new Float64Array(products)
  const touched = new Int32Array(products)
  const best = createBest(content.neighboursMax)

  /** Sums are in the order of attributes, so every thread gets the same ones. */
  const sum = (i: number): number => {
    let count = 0
    for (let at = start[i]!; at < start[i + 1]!; at++) {
      const number = attribute[at]!
      for (let place = ownerStart[number]!; place < ownerStart[number + 1]!; place++) {
        const j = owner[place]!
        if (sums[j] === 0) touched[count++] = j
        sums[j]! += squares[number]!
      }
    }
    return count
  }
  const pick = (i: number, count: number) => {
    for (let at = 0; at < count; at++) {
      const j = touched[at]!
      const cosine = Math.fround(sums[j]! / (norms[i]! * norms[j]!))
      sums[j] = 0
      if (j !== i && cosine > 0 && cosine >= best.least()) best.add(cosine, j)
    }
  }
  return (from, to) => {
    for (let i = from; i < to; i++) {
      pick(i, sum(i))
      const offset = i * content.neighboursMax
      content.length[i] = best.take((rank, cosine, j) => {
        content.neighbour[offset + rank] = j
        content.cosine[offset + rank] = cosine
      })
    }
  }
}
