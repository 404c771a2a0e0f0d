import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { CompressionCodec, Compressors } from 'hyparquet'

const PLAIN_OR_BUILT_IN: readonly CompressionCodec[] = ['UNCOMPRESSED', 'SNAPPY']

/** Decompression of pages by Node; the length of a page is known, so a wrong page cannot fill the memory. */
export const DECOMPRESSORS: Compressors = {
  GZIP: (bytes, length) => gunzipSync(bytes, { maxOutputLength: length }),
  BROTLI: (bytes, length) => brotliDecompressSync(bytes, { maxOutputLength: length }),
  ZSTD: (bytes, length) => zstdDecompressSync(bytes, { maxOutputLength: length }),
}

export function isReadable(codec: CompressionCodec): boolean {
  return PLAIN_OR_BUILT_IN.includes(codec) || DECOMPRESSORS[codec] !== undefined
}
