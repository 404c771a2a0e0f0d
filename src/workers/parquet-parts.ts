import type { Column } from './parquet-columns.ts'
import type { ParquetMethods } from './parquet-protocol.ts'
import { startThread } from './thread-calls.ts'

const ENTRY = new URL('parquet-part.ts', import.meta.url)
/** Rows that come back at a time. */
const READ_ROWS = 1_000

/** Lines of JSON as the bytes of a Parquet file, compressed by Zstandard. A thread does the work. */
export async function* parquetOf(lines: AsyncIterable<string[]>, columns: readonly Column[]): AsyncGenerator<Uint8Array> {
  const thread = startThread<ParquetMethods>(ENTRY, 'footfall-parquet')
  try {
    await thread.call('begin', { columns: [...columns] })
    for await (const some of lines) {
      const bytes = await thread.call('add', { lines: some })
      if (bytes.length > 0) yield bytes
    }
    yield await thread.call('end', undefined)
  } finally {
    await thread.stop()
  }
}

/** The lines of a Parquet file, which is in memory as a whole. */
export async function* linesOfParquet(file: AsyncIterable<Uint8Array>, columns: readonly Column[]): AsyncGenerator<string[]> {
  const chunks: Uint8Array[] = []
  for await (const chunk of file) chunks.push(chunk)
  const thread = startThread<ParquetMethods>(ENTRY, 'footfall-parquet')
  try {
    const rows = await thread.call('open', { columns: [...columns], bytes: new Uint8Array(Buffer.concat(chunks)) })
    for (let from = 0; from < rows; from += READ_ROWS)
      yield await thread.call('read', { from, to: Math.min(rows, from + READ_ROWS) })
  } finally {
    await thread.stop()
  }
}
