import { type FileHandle, open } from 'node:fs/promises'
import { type ColumnMetaData, type FileMetaData, parquetMetadataAsync, type RowGroup, type SchemaTree } from 'hyparquet'
import { isReadable } from './codecs.ts'
import { columnReaderOf, type ColumnReader } from './columns.ts'
import { bytesAt } from './pages.ts'
import { pathsToLeaves, schemaOf, storedSchemaOf } from './schema.ts'

/** A Parquet file whose end has been read: its schema, and where its row groups are. */
export interface ParquetFile {
  path: string
  metadata: FileMetaData
}

/** Rows as lists of values of JSON, in the order of the names of their columns. */
export interface ParquetRows {
  columns: readonly string[]
  rows: unknown[][]
  /** Bytes read from the file so far. */
  bytes: number
}

/** Rows that are read at a time. */
const ROWS_MAX = 1_000

/** @throws an error whose message ends the sentence `the file cannot be read: …`. */
export async function parquetFileOf(path: string): Promise<ParquetFile> {
  const metadata = await withFile(path, async (file) => {
    const { size: byteLength } = await file.stat()
    const slice = async (start: number, end = byteLength) => (await bytesAt(file, start, end - start)).buffer as ArrayBuffer
    try {
      return await parquetMetadataAsync({ byteLength, slice }, { geoparquet: false })
    } catch (error) {
      throw new Error('it is no whole Parquet file, because it does not end as one', { cause: error })
    }
  })
  for (const { columns } of metadata.row_groups) for (const { meta_data: column, ...chunk } of columns) check(column, chunk)
  return { path, metadata }
}

/** The names of the codecs with which the pages of a file are compressed, e.g. `snappy`. */
export function codecsOf({ metadata }: ParquetFile): string[] {
  const codecs = metadata.row_groups.flatMap(({ columns }) => columns.map(({ meta_data: column }) => column!.codec))
  return [...new Set(codecs)].filter((codec) => codec !== 'UNCOMPRESSED').map((codec) => codec.toLowerCase())
}

/** Reads the rows of a file a page of each column at a time, so memory depends on its pages and not on its size. */
export async function* rowsOfParquet({ path, metadata }: ParquetFile): AsyncGenerator<ParquetRows> {
  const file = await open(path)
  try {
    const schema = schemaOf(metadata)
    let bytesBefore = 0
    for (const group of metadata.row_groups) {
      const columns = columnsOf(file, schema, group)
      const bytes = () => columns.reduce((sum, { reader }) => sum + reader.bytes(), bytesBefore)
      for await (const rows of rowsOfGroup(columns, Number(group.num_rows)))
        yield { columns: columns.map(({ name }) => name), rows, bytes: bytes() }
      bytesBefore = bytes()
    }
  } finally {
    await file.close()
  }
}

interface NamedReader {
  name: string
  reader: ColumnReader
}

/** A reader for each column of the rows, sorted by name as the keys of JSON lines are. */
function columnsOf(file: FileHandle, schema: SchemaTree, group: RowGroup): NamedReader[] {
  const stored = storedSchemaOf(schema)
  const paths = pathsToLeaves(stored)
  if (paths.length !== group.columns.length) throw new Error('a row group has not all columns')
  const leaves = paths.map((path, index) => ({ path, column: group.columns[index]!.meta_data! }))
  return schema.children
    .map((node, index) => {
      const own = leaves.filter(({ path }) => path[1] === stored.children[index])
      return { name: node.element.name, reader: columnReaderOf(file, node, own) }
    })
    .sort((one, other) => (one.name < other.name ? -1 : 1))
}

async function* rowsOfGroup(columns: readonly NamedReader[], count: number): AsyncGenerator<unknown[][]> {
  for (let left = count; left > 0;) {
    let rows = Math.min(left, ROWS_MAX)
    for (const { reader } of columns) rows = Math.min(rows, await reader.available())
    if (rows === 0) throw new Error('a column has fewer rows than its row group')
    const taken = columns.map(({ reader }) => reader.take(rows))
    yield Array.from({ length: rows }, (_row, index) => taken.map((values) => values[index]))
    left -= rows
  }
}

function check(column: ColumnMetaData | undefined, chunk: { crypto_metadata?: unknown; file_path?: string }): void {
  if (column === undefined || chunk.crypto_metadata !== undefined)
    throw new Error('some of its columns are encrypted: write it without encryption')
  const name = JSON.stringify(column.path_in_schema.join('.'))
  if (chunk.file_path !== undefined) throw new Error(`its column ${name} is in another file: write it as one file`)
  if (isReadable(column.codec)) return
  throw new Error(`its column ${name} is compressed with ${column.codec}: write it with snappy, gzip, zstd or brotli`)
}

async function withFile<Result>(path: string, use: (file: FileHandle) => Promise<Result>): Promise<Result> {
  const file = await open(path)
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}
