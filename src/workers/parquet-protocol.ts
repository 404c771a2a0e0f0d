import type { Column } from './parquet-columns.ts'

/** What the thread of Parquet parts does, with one part at a time. */
export type ParquetMethods = {
  /** Begins a part. */
  begin: (args: { columns: Column[] }) => void
  /** Adds lines of JSON to it. @returns the bytes that are ready. */
  add: (args: { lines: string[] }) => Uint8Array<ArrayBuffer>
  /** Ends it. @returns its last bytes. */
  end: (args: undefined) => Uint8Array<ArrayBuffer>
  /** Opens a part. @returns how many rows it has. */
  open: (args: { columns: Column[]; bytes: Uint8Array<ArrayBuffer> }) => number
  /** Some of its rows as lines of JSON. */
  read: (args: { from: number; to: number }) => Promise<string[]>
}
