import { createReadStream, type ReadStream } from 'node:fs'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { binaryTypeOf, isGzip, isParquet } from './file-type.ts'
import { fileProblem } from './file-problem.ts'
import { StartError } from '../../../main/config/start-error.ts'

/** The start of a file, decompressed. */
export interface Sample {
  bytes: Uint8Array
  /** Whether it is the whole file. */
  isWhole: boolean
  isCompressed: boolean
}

/** Enough for a header row and some hundred rows. */
export const SAMPLE_BYTES = 64 * 1024
const CHUNK_BYTES = 128 * 1024

/** The bytes of a file, decompressed if it is compressed, and the stream that reads the file. */
export function bytesOf(file: { path: string; isCompressed: boolean }): { raw: ReadStream; bytes: AsyncIterable<Uint8Array> } {
  const raw = createReadStream(file.path, { highWaterMark: CHUNK_BYTES })
  return { raw, bytes: file.isCompressed ? pipeline(raw, createGunzip({ chunkSize: CHUNK_BYTES }), () => undefined) : raw }
}

/** Reads the start of a text or a Parquet file. The content shows whether it is compressed, because names are often wrong. @throws StartError */
export async function sampleOf(path: string): Promise<Sample> {
  const plain = await startOf({ path, isCompressed: false })
  const isCompressed = isGzip(plain.bytes)
  const sample = isCompressed ? await startOf({ path, isCompressed }) : plain
  const binaryType = binaryTypeOf(sample.bytes)
  if (binaryType !== undefined) throw new StartError(`${path} is ${binaryType}.`)
  // The reader of Parquet starts at the end of a file.
  if (isCompressed && isParquet(sample.bytes))
    throw new StartError(`${path} is Parquet compressed with gzip: decompress it with gunzip first.`)
  return { ...sample, isCompressed }
}

async function startOf(file: { path: string; isCompressed: boolean }): Promise<{ bytes: Uint8Array; isWhole: boolean }> {
  const { raw, bytes } = bytesOf(file)
  const chunks: Uint8Array[] = []
  let count = 0
  try {
    for await (const chunk of bytes) {
      chunks.push(chunk)
      count += chunk.length
      if (count > SAMPLE_BYTES) break
    }
  } catch (error) {
    // What a damaged file has before its damage is imported.
    if (count === 0) throw fileProblem(file.path, 'read', error)
  } finally {
    raw.destroy()
  }
  return { bytes: Buffer.concat(chunks).subarray(0, SAMPLE_BYTES), isWhole: count <= SAMPLE_BYTES }
}
