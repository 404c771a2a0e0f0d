import type { FileHandle } from 'node:fs/promises'
import type { ColumnMetaData, DecodedArray, SchemaTree } from 'hyparquet'
import { assembleNested } from 'hyparquet/src/assemble.js'
import { type Page, pagesOf, PARSERS } from './pages.ts'
import { converterOf } from './values.ts'

/** Reads the values of a column of the rows, in one row group. */
export interface ColumnReader {
  /** How many rows can be taken without reading; reads a page when there are none. 0 at the end. */
  available: () => Promise<number>
  /** The next values, at most as many as are available. */
  take: (rows: number) => unknown[]
  /** Bytes of the pages read so far. */
  bytes: () => number
}

/** A column as it is stored, with the nodes of the schema from the root to it. */
export interface Leaf {
  path: SchemaTree[]
  column: ColumnMetaData
}

/** A column that is a list or an object is stored as several: one for each value without parts. */
export function columnReaderOf(file: FileHandle, node: SchemaTree, leaves: readonly Leaf[]): ColumnReader {
  const readers = leaves.map((leaf) => leafReader(pagesOf(file, leaf.column, leaf.path)))
  const convert = converterOf(node)
  const stored = leaves[0]!.path[1]!
  const take = (rows: number): DecodedArray => {
    if (node.children.length === 0) return readers[0]!.take(rows)
    const parts = new Map(readers.map((reader, index) => [leaves[index]!.column.path_in_schema.join('.'), reader.take(rows)]))
    assembleNested(parts, stored, PARSERS)
    return parts.get(node.element.name)!
  }
  return {
    available: async () => {
      let rows = Infinity
      for (const reader of readers) rows = Math.min(rows, await reader.available())
      return rows
    },
    take: (rows) => Array.from(take(rows) as ArrayLike<unknown>, convert),
    bytes: () => readers.reduce((sum, reader) => sum + reader.bytes(), 0),
  }
}

function leafReader(pages: AsyncGenerator<Page>) {
  let values: DecodedArray = []
  let at = 0
  let bytes = 0
  return {
    available: async () => {
      while (at === values.length) {
        const { value: page, done } = await pages.next()
        if (done) return 0
        values = page.values
        at = 0
        bytes += page.bytes
      }
      return values.length - at
    },
    take: (rows: number) => values.slice(at, (at += rows)),
    bytes: () => bytes,
  }
}
