import type { InteractionRun, JudgedRecords, JudgeSettings, RejectedRecord } from '../admission/judge-records.ts'
import type { KafkaRecord } from '../admission/kafka-record.ts'

/** A rejected record as the thread hands it back. */
export interface HandedRejection extends Omit<RejectedRecord, 'record' | 'of'> {
  /** Which record of the batch. */
  of: number
  /** As it is kept, where that is not as it was read. */
  record: KafkaRecord | undefined
}

/** What the thread of large records does, with one batch at a time. Values come back in parts, so that no part holds the event loop. */
export type RecordMethods = {
  /** Judges a batch. @returns its products, and how much there is to take. */
  judge: (args: { records: KafkaRecord[]; settings: JudgeSettings }) => Promise<{
    products: JudgedRecords['products']
    runs: number
    rejected: number
  }>
  run: (args: { at: number }) => InteractionRun
  rejected: (args: { from: number; to: number }) => HandedRejection[]
}

/** Bytes lose their class between threads. */
export function bytesOf<Bytes extends Uint8Array | null>(bytes: Bytes): Buffer | Extract<Bytes, null> {
  return bytes === null ? (null as Extract<Bytes, null>) : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export function recordWithBytes(record: KafkaRecord): KafkaRecord {
  const headers = record.headers.map(([name, value]) => [name, bytesOf(value)] as const)
  return { ...record, key: bytesOf(record.key), value: bytesOf(record.value), headers }
}
