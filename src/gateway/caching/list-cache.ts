import type { TaskCaller } from '../http/caller-shares.ts'

/** Asks for a page: at most `limit` rows after a position. */
export type ReadPage<Position> = (after: Position | undefined, limit: number, reader: TaskCaller) => Promise<ListPage<Position>>

/** A totally ordered list that is read in pages, such as products by score. */
export interface RankedList<Position> {
  /** The rows after a position, best first; fewer than `limit` when the list ends there. All callers share them. */
  rowsAfter: (after: Position | undefined, limit: number) => Promise<ListedRow<Position>[]>
  /** A page for a caller, from a read that begins after its question. */
  pageAfter: ReadPage<Position>
  /** Below 0 when the first position is the better one. */
  compare: (one: Position, other: Position) => number
}

export interface ListedRow<Position> {
  position: Position
  /** The row as its part of the answer. */
  json: string
}

export interface ListPage<Position> {
  /** The rows with commas between them. */
  json: Buffer
  /** Where the page ended; undefined when the list ended there too. */
  next: Position | undefined
}

/** The longest page. */
const PAGE_ROWS_MAX = 100
/** Rows that a block answers for. It has more than a page of further ones, so that a page which begins in it never needs the next block. */
export const BLOCK_ROWS = 500
const READ_ROWS = 750
/** Blocks from the head of the list on; pages after them are read from the database each time. */
const BLOCKS_MAX = 20
/** How long an answer may travel after its age was checked. */
const SENDING_MS = 100

interface Block<Position> {
  /** It answers for the rows after this position; undefined at the head of the list. */
  start: Position | undefined
  /** … up to this, where the next block starts. Undefined where the list ends, and before the first read. */
  end: Position | undefined
  rows: ListedRow<Position>[]
  /** All rows' JSON, each with a comma before it, and where each begins: an answer is a part of it. */
  json: Buffer
  begins: number[]
  readMs: number
  reading: Promise<void> | undefined
}

/**
 * Answers pages of any length from anywhere in the head of a list, from rows that are at most `msMax` old. It keeps blocks of rows, and
 * not pages by address, because with a hundred limits and as many cursors as products hardly any address repeats. Requests that arrive
 * while a block is read share that read.
 */
export function createListCache<Position>(list: RankedList<Position>, msMax: number): ReadPage<Position> {
  if (msMax === 0) return list.pageAfter
  const freshMs = Math.max(msMax - SENDING_MS, msMax / 2)
  let blocks: Block<Position>[] = [newBlock<Position>(undefined)]

  const read = async (block: Block<Position>) => {
    const askedMs = performance.now()
    block.rows = await list.rowsAfter(block.start, READ_ROWS)
    block.json = Buffer.from(block.rows.map(({ json }) => `,${json}`).join(''))
    block.begins = beginsOf(block.rows)
    block.readMs = askedMs
    const { end } = block
    const rowsInBlock = end === undefined ? 0 : countUpTo(block.rows, end, list.compare)
    if (rowsInBlock >= BLOCK_ROWS / 2 && rowsInBlock <= READ_ROWS - PAGE_ROWS_MAX - 1) return
    // Too many rows have moved in or out. The block gets a new end, so the blocks after it are dropped.
    block.end = block.rows.length < READ_ROWS ? undefined : block.rows[BLOCK_ROWS - 1]!.position
    const place = blocks.indexOf(block)
    if (place !== -1) blocks = blocks.slice(0, place + 1)
  }

  const refresh = async (block: Block<Position>) => {
    while (performance.now() - block.readMs >= freshMs) {
      const startsRead = block.reading === undefined
      block.reading ??= read(block).finally(() => {
        block.reading = undefined
      })
      await block.reading
      // A caller that joined a running read may have to read again; the caller that started it has fresh rows.
      if (startsRead) return
    }
  }

  const isBehind = (block: Block<Position>, position: Position | undefined) =>
    position !== undefined && block.end !== undefined && list.compare(block.end, position) <= 0

  /** The block that answers for what comes after a position; undefined when it lies too deep. */
  const blockFor = (position: Position | undefined): Block<Position> | undefined => {
    const found = blocks.findLast(
      ({ start }) => start === undefined || (position !== undefined && list.compare(start, position) <= 0),
    )!
    if (!isBehind(found, position)) return found
    if (blocks.length === BLOCKS_MAX) return undefined
    // One block at a time, so that a request for the far end of the list does not wait for all blocks before it.
    blocks.push(newBlock(found.end))
    return blocks.at(-1)
  }

  return async (after, limit, reader) => {
    // Rows may have been read before the caller wrote what it wants to see.
    if (reader.minLsn !== undefined) return list.pageAfter(after, limit, reader)
    const block = blockFor(after)
    if (block !== undefined) await refresh(block)
    if (block === undefined || isBehind(block, after)) return list.pageAfter(after, limit, reader)
    const first = after === undefined ? 0 : countUpTo(block.rows, after, list.compare)
    const last = Math.min(first + limit, block.rows.length)
    const next = last < block.rows.length && last > first ? block.rows[last - 1]!.position : undefined
    return { json: block.json.subarray(block.begins[first]! + 1, block.begins[last]), next }
  }
}

/** The page of `limit` rows. One row more was asked for; if it exists, there is a next page. */
export function pageOf<Position>(rows: readonly ListedRow<Position>[], limit: number): ListPage<Position> {
  const shown = rows.slice(0, limit)
  const json = Buffer.from(shown.map((row) => row.json).join(','))
  return { json, next: rows.length > limit ? shown.at(-1)!.position : undefined }
}

/** Where each row begins in the joined JSON, and where the last one ends. */
function beginsOf(rows: readonly { json: string }[]): number[] {
  const begins = [0]
  for (const { json } of rows) begins.push(begins.at(-1)! + 1 + Buffer.byteLength(json))
  return begins
}

function newBlock<Position>(start: Position | undefined): Block<Position> {
  return {
    start,
    end: undefined,
    rows: [],
    json: Buffer.alloc(0),
    begins: [0],
    readMs: Number.NEGATIVE_INFINITY,
    reading: undefined,
  }
}

/** How many of the rows are not after a position: a binary search, because every request makes one. */
function countUpTo<Position>(
  rows: readonly ListedRow<Position>[],
  position: Position,
  compare: RankedList<Position>['compare'],
): number {
  let low = 0
  for (let high = rows.length; low < high;) {
    const middle = (low + high) >> 1
    if (compare(rows[middle]!.position, position) <= 0) low = middle + 1
    else high = middle
  }
  return low
}
