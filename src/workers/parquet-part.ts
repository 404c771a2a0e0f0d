import { parentPort } from 'node:worker_threads'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { type FileMetaData, parquetMetadata, parquetReadObjects } from 'hyparquet'
import { DEFAULT_PARSERS } from 'hyparquet/src/convert.js'
import { ByteWriter, ParquetWriter, type SchemaElement } from 'hyparquet-writer'
import { type Column, type ColumnType, lineOfValues, type Value, valuesOf } from './parquet-columns.ts'
import type { ParquetMethods } from './parquet-protocol.ts'
import type { ThreadCall } from './thread-calls.ts'

/** A group is in memory when it is written and when it is read. */
const GROUP_ROWS = 5_000
const CODEC = 'ZSTD'
const LEVEL = 3
const compress = (bytes: Uint8Array) => zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } })

const ELEMENTS: Record<ColumnType, Omit<SchemaElement, 'name'>> = {
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  json: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  instant: {
    type: 'INT64',
    converted_type: 'TIMESTAMP_MICROS',
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
  },
  integer: { type: 'INT64' },
  boolean: { type: 'BOOLEAN' },
}

let columns: readonly Column[] = []
let bytes = new ByteWriter()
let writer: ParquetWriter | undefined
let rows: Value[][] = []
let file: { buffer: ArrayBuffer; metadata: FileMetaData } | undefined

/** One part at a time, which is written or read. */
const methods = {
  begin: (args: { columns: Column[] }) => {
    columns = args.columns
    rows = []
    bytes = new ByteWriter()
    const root: SchemaElement = { name: 'root', num_children: columns.length }
    const leaves = columns.map(({ name, type }): SchemaElement => ({ name, repetition_type: 'OPTIONAL', ...ELEMENTS[type] }))
    writer = new ParquetWriter({ writer: bytes, schema: [root, ...leaves], codec: CODEC, compressors: { [CODEC]: compress } })
  },

  add: ({ lines }: { lines: string[] }) => {
    for (const line of lines) rows.push(valuesOf(line, columns))
    if (rows.length >= GROUP_ROWS) writeGroup()
    return taken()
  },

  end: () => {
    if (rows.length > 0) writeGroup()
    void writer!.finish()
    writer = undefined
    return taken()
  },

  open: (args: { columns: Column[]; bytes: Uint8Array<ArrayBuffer> }) => {
    columns = args.columns
    const { buffer, byteOffset, byteLength } = args.bytes
    const own = buffer.slice(byteOffset, byteOffset + byteLength)
    file = { buffer: own, metadata: parquetMetadata(own) }
    return Number(file.metadata.num_rows)
  },

  read: async ({ from, to }: { from: number; to: number }) => {
    const { buffer, metadata } = file!
    const found = await parquetReadObjects({
      ...{ file: buffer, metadata, rowStart: from, rowEnd: to },
      compressors: {
        [CODEC]: (compressed: Uint8Array, maxOutputLength: number) => zstdDecompressSync(compressed, { maxOutputLength }),
      },
      parsers: { ...DEFAULT_PARSERS, timestampFromMicroseconds: (value: bigint) => value as never },
    })
    return found.map((row) =>
      lineOfValues(
        columns.map(({ name }) => row[name] as Value | undefined),
        columns,
      ),
    )
  },
} satisfies ParquetMethods

function writeGroup(): void {
  const columnData = columns.map(({ name }, n) => ({ name, data: rows.map((row) => row[n]!) }))
  void writer!.write({ columnData, rowGroupSize: rows.length })
  rows = []
}

/** What was written since the last time. The writer goes on at its offset. */
function taken(): Uint8Array<ArrayBuffer> {
  const written = new Uint8Array(bytes.getBytes())
  bytes.index = 0
  return written
}

parentPort!.on('message', ({ method, args }: ThreadCall) => {
  void (async () => parentPort!.postMessage(await methods[method as keyof ParquetMethods](args as never)))()
})
