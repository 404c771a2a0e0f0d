import type { Content } from './content.ts'
import type { Matrix } from './matrix.ts'

/** All rows of a version. */
export interface CountedRows {
  matrix: Matrix
  content: Content
  /** Baskets in the place of shoppers; counts are those of baskets. */
  bought: Matrix
}

/** Lists of several rows, one list after the other. */
export interface RowLists {
  /** Where the list of each row ends. */
  ends: Int32Array
  numbers: Int32Array
}

/** Rows of products with adjacent numbers. */
export interface RowChunk {
  first: number
  rows: number
  /** How many events and baskets of each product count. */
  events: Int32Array
  baskets: Int32Array
  /** With the same from the neighbour to the product, 0 when it is not among the best of the neighbour's row. */
  neighbours: RowLists & { scores: Float32Array; counts: Int32Array; backScores: Float32Array; backCounts: Int32Array }
  content: RowLists & { cosines: Float32Array }
  bought: RowLists & { counts: Int32Array }
}

export function rowChunkOf({ matrix, content, bought }: CountedRows, first: number, last: number): RowChunk {
  const [near, like, together] = [matrix, content, bought].map((lists) => listsOf(lists, first, last)) as [
    RowLists,
    RowLists,
    RowLists,
  ]
  return {
    ...{ first, rows: last - first },
    events: matrix.events.slice(first, last),
    baskets: bought.events.slice(first, last),
    neighbours: {
      ...near,
      scores: joined(matrix, matrix.score, new Float32Array(near.numbers.length), first),
      counts: joined(matrix, matrix.count, new Int32Array(near.numbers.length), first),
      ...backOf(matrix, near, first),
    },
    content: { ...like, cosines: joined(content, content.cosine, new Float32Array(like.numbers.length), first) },
    bought: { ...together, counts: joined(bought, bought.count, new Int32Array(together.numbers.length), first) },
  }
}

type Lists = Pick<Matrix, 'neighboursMax' | 'length' | 'neighbour'>

function listsOf(lists: Lists, first: number, last: number): RowLists {
  let end = 0
  const ends = Int32Array.from(lists.length.subarray(first, last), (length) => (end += length))
  return { ends, numbers: joined(lists, lists.neighbour, new Int32Array(end), first) }
}

/** Fills an array with the values of the lists of some rows, one list after the other. */
function joined<Values extends Int32Array | Float32Array>(
  { neighboursMax, length }: Lists,
  values: Int32Array | Uint32Array | Float32Array,
  into: Values,
  first: number,
): Values {
  for (let row = first, filled = 0; filled < into.length; row++) {
    const from = row * neighboursMax
    into.set(values.subarray(from, from + length[row]!), filled)
    filled += length[row]!
  }
  return into
}

/** What the rows of the neighbours have of each row. */
function backOf({ neighboursMax, length, neighbour, score, count }: Matrix, { ends, numbers }: RowLists, first: number) {
  const backScores = new Float32Array(numbers.length)
  const backCounts = new Int32Array(numbers.length)
  for (let row = 0, at = 0; row < ends.length; row++) {
    for (; at < ends[row]!; at++) {
      const from = numbers[at]! * neighboursMax
      const to = from + length[numbers[at]!]!
      let place = from
      while (place < to && neighbour[place] !== first + row) place++
      if (place === to) continue
      backScores[at] = score[place]!
      backCounts[at] = count[place]!
    }
  }
  return { backScores, backCounts }
}
