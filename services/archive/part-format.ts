import { Readable } from 'node:stream'
import { createGunzip, createGzip } from 'node:zlib'
import type { ArchivedRow } from '../../src/store/archive/page.ts'
import type { LogTableName } from '../../src/store/log/month.ts'
import { linesOfParquet, parquetOf } from '../../src/workers/parquet-parts.ts'
import { columnsOf } from './columns.ts'
import { lineOf } from './sealed.ts'

/** Compression runs in threads of Node, so the event loop goes on. */
const LEVEL = 6
const CHUNK_BYTES = 64 * 1024
const LINE_FEED = 10
const LINE_BYTES_MAX = 16 * 1024 * 1024

/** The forms of parts, which are also the ends of their names. */
export const FORMATS = ['jsonl.gz', 'parquet'] as const
export type ArchiveFormat = (typeof FORMATS)[number]

/** Pages of rows as the bytes of a part. */
export function bytesOfPart(
  pages: AsyncIterable<readonly ArchivedRow[]>,
  table: LogTableName,
  format: ArchiveFormat,
): AsyncIterable<Uint8Array> {
  const lines = async function* () {
    for await (const rows of pages) yield rows.map(lineOf)
  }
  return format === 'parquet' ? parquetOf(lines(), columnsOf(table)) : gzipOf(lines())
}

/** The lines of a part, some at a time. @throws when its bytes are no such part. */
export function linesOfPart(
  bytes: AsyncIterable<Uint8Array>,
  { table, name }: { table: LogTableName; name: string },
  linesMax: number,
): AsyncGenerator<string[]> {
  return name.endsWith('.parquet') ? linesOfParquet(bytes, columnsOf(table)) : linesOfGzip(bytes, linesMax)
}

/** How many rows a part has, some at a time. Of lines no text is made. @throws when its bytes are no such part. */
export async function* rowCountsOfPart(
  bytes: AsyncIterable<Uint8Array>,
  part: { table: LogTableName; name: string },
): AsyncGenerator<number> {
  if (part.name.endsWith('.parquet')) {
    for await (const lines of linesOfPart(bytes, part, 0)) yield lines.length
  } else for await (const chunk of gunzipped(bytes)) yield linesIn(chunk)
}

function linesIn(chunk: Buffer): number {
  let lines = 0
  for (let at = chunk.indexOf(LINE_FEED); at !== -1; at = chunk.indexOf(LINE_FEED, at + 1)) lines++
  return lines
}

function gzipOf(lines: AsyncIterable<string[]>): AsyncIterable<Uint8Array> {
  const texts = async function* () {
    for await (const some of lines) yield `${some.join('\n')}\n`
  }
  const source = Readable.from(texts())
  const gzip = createGzip({ level: LEVEL, chunkSize: CHUNK_BYTES })
  source.on('error', (error) => gzip.destroy(error))
  gzip.on('close', () => source.destroy())
  return source.pipe(gzip)
}

function gunzipped(bytes: AsyncIterable<Uint8Array>): AsyncIterable<Buffer> {
  const source = Readable.from(bytes)
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES })
  source.on('error', (error) => gunzip.destroy(error))
  gunzip.on('close', () => source.destroy())
  return source.pipe(gunzip)
}

async function* linesOfGzip(bytes: AsyncIterable<Uint8Array>, linesMax: number): AsyncGenerator<string[]> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let rest = ''
  for await (const chunk of gunzipped(bytes)) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop()!
    if (rest.length > LINE_BYTES_MAX) throw new Error('a line of the part is too long')
    for (let at = 0; at < lines.length; at += linesMax) yield lines.slice(at, at + linesMax)
  }
  if (rest !== '') throw new Error('the last line of the part is cut off')
}
