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
  const cut = (lists: Lists) => {
    const cells = cellsOf(lists, first, last)
    return { lists: { ends: endsOf(lists, first, last), numbers: Int32Array.from(cells, (at) => lists.neighbour[at]!) }, cells }
  }
  const [near, like, together] = [cut(matrix), cut(content), cut(bought)]
  const back = near.cells.map((at) => cellOf(matrix, matrix.neighbour[at]!, Math.floor(at / matrix.neighboursMax)))
  return {
    ...{ first, rows: last - first },
    events: matrix.events.slice(first, last),
    baskets: bought.events.slice(first, last),
    neighbours: {
      ...near.lists,
      scores: Float32Array.from(near.cells, (at) => matrix.score[at]!),
      counts: Int32Array.from(near.cells, (at) => matrix.count[at]!),
      backScores: Float32Array.from(back, (at) => matrix.score[at] ?? 0),
      backCounts: Int32Array.from(back, (at) => matrix.count[at] ?? 0),
    },
    content: { ...like.lists, cosines: Float32Array.from(like.cells, (at) => content.cosine[at]!) },
    bought: { ...together.lists, counts: Int32Array.from(together.cells, (at) => bought.count[at]!) },
  }
}

type Lists = Pick<Matrix, 'neighboursMax' | 'length' | 'neighbour'>

function endsOf({ length }: Lists, first: number, last: number): Int32Array {
  let end = 0
  return new Int32Array(length.subarray(first, last)).map((count) => (end += count))
}

/** Where the values of the lists of some rows are. */
function cellsOf({ neighboursMax, length }: Lists, first: number, last: number): number[] {
  const cells: number[] = []
  for (let row = first; row < last; row++) {
    for (let at = row * neighboursMax; at < row * neighboursMax + length[row]!; at++) cells.push(at)
  }
  return cells
}

const NONE = -1

/** Where the row of a product has another one; -1 when it does not. */
function cellOf({ neighboursMax, length, neighbour }: Lists, row: number, other: number): number {
  const from = row * neighboursMax
  const at = neighbour.subarray(from, from + length[row]!).indexOf(other)
  return at < 0 ? NONE : from + at
}
