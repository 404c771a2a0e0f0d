import type { FileHandle } from 'node:fs/promises'
import type { ColumnMetaData, DecodedArray, PageHeader, ParquetParsers, SchemaTree } from 'hyparquet'
import { parquetHeader, readPage } from 'hyparquet/src/column.js'
import { convert, DEFAULT_PARSERS } from 'hyparquet/src/convert.js'
import { getMaxRepetitionLevel } from 'hyparquet/src/schema.js'
import { DECOMPRESSORS } from './codecs.ts'
import { textOfBytes } from './values.ts'

/** The values of a page of a column, and the bytes that it has in the file. */
export interface Page {
  values: DecodedArray
  bytes: number
}

type Decoder = Parameters<typeof convert>[1]

/** Headers have some dozen bytes, and the smallest and the largest value of the page, which may be long texts. */
const HEADER_BYTES = 4 * 1024
const HEADER_BYTES_MAX = 16 * 1024 * 1024
/** Programs write pages of about 1 MiB, and may write one value that is larger. */
const PAGE_BYTES_MAX = 256 * 1024 * 1024

const asStored = (value: unknown) => value

/** Times and dates as the numbers that they are stored as, because dates of JavaScript lose digits. */
export const PARSERS: ParquetParsers = {
  ...DEFAULT_PARSERS,
  timestampFromMilliseconds: asStored,
  timestampFromMicroseconds: asStored,
  timestampFromNanoseconds: asStored,
  dateFromDays: asStored,
  stringFromBytes: textOfBytes,
  jsonFromBytes: textOfBytes,
}

/**
 * Reads the pages of a column of a row group, one at a time. hyparquet itself keeps a whole row group in memory, which is often a
 * million rows. @param path the nodes of the schema from the root to the column
 */
export async function* pagesOf(file: FileHandle, column: ColumnMetaData, path: SchemaTree[]): AsyncGenerator<Page> {
  const { codec, type, path_in_schema: pathInSchema } = column
  const element = path.at(-1)!.element
  const decoder: Decoder = {
    ...{ type, element, schemaPath: path, pathInSchema, codec },
    ...{ parsers: PARSERS, compressors: DECOMPRESSORS, utf8: false },
  }
  const mayContinue = getMaxRepetitionLevel(path) > 0
  let dictionary: DecodedArray | undefined
  // A row with a list may go on in the next page, so the last row of a page waits for it.
  let last: DecodedArray | undefined
  let valuesLeft = Number(column.num_values)
  for (let at = startOf(column); valuesLeft > 0;) {
    const { header, bytes, next } = await pageAt(file, at)
    at = next
    if (countOf(header) > valuesLeft) throw new Error('a page has more values than its column')
    // Some programs write pages without values.
    if (header.type !== 'DICTIONARY_PAGE' && countOf(header) === 0) continue
    const { data = [] } = readPage({ view: viewOf(bytes), offset: 0 }, header, decoder, dictionary, last, 0)
    if (header.type === 'DICTIONARY_PAGE') {
      dictionary = convert(data, decoder)
      continue
    }
    if (encodingOf(header).endsWith('_DICTIONARY') && dictionary === undefined) throw new Error('a dictionary is missing')
    valuesLeft -= countOf(header)
    last = mayContinue ? data.slice(-1) : undefined
    yield { values: mayContinue ? data.slice(0, -1) : data, bytes: bytes.length }
  }
  if (last !== undefined) yield { values: last, bytes: 0 }
}

function startOf({ dictionary_page_offset: dictionary, data_page_offset: data }: ColumnMetaData): number {
  // Some programs write 0 for no dictionary.
  return Number(dictionary !== undefined && dictionary > 0 && dictionary < data ? dictionary : data)
}

async function pageAt(file: FileHandle, at: number): Promise<{ header: PageHeader; bytes: Uint8Array; next: number }> {
  const { header, start } = await headerAt(file, at, HEADER_BYTES)
  const { compressed_page_size: size, uncompressed_page_size: fullSize } = header
  if (!isBetween(size, 0, PAGE_BYTES_MAX) || !isBetween(fullSize, 0, PAGE_BYTES_MAX) || countOf(header) < 0)
    throw new Error(`a page claims to have ${fullSize} bytes`)
  return { header, bytes: await bytesAt(file, start, size), next: start + size }
}

async function headerAt(file: FileHandle, at: number, length: number): Promise<{ header: PageHeader; start: number }> {
  const bytes = await bytesUpTo(file, at, length)
  const reader = { view: viewOf(bytes), offset: 0 }
  try {
    const header = parquetHeader(reader)
    return { header, start: at + reader.offset }
  } catch (error) {
    if (bytes.length < length || length >= HEADER_BYTES_MAX) throw error
    return headerAt(file, at, length * 16)
  }
}

function encodingOf({ data_page_header: one, data_page_header_v2: two }: PageHeader): string {
  return (one ?? two)?.encoding ?? ''
}

function countOf({ data_page_header: one, data_page_header_v2: two }: PageHeader): number {
  return (one ?? two)?.num_values ?? 0
}

function isBetween(number: number, min: number, max: number): boolean {
  return number >= min && number <= max
}

export async function bytesAt(file: FileHandle, at: number, length: number): Promise<Uint8Array> {
  const bytes = await bytesUpTo(file, at, length)
  if (bytes.length < length) throw new Error('it ends too early')
  return bytes
}

/** Fewer bytes at the end of the file. Not of Node's pool of small buffers, because values may stay views of these bytes. */
async function bytesUpTo(file: FileHandle, at: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, at + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return bytes.subarray(0, filled)
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
