import { isUtf8 } from 'node:buffer'
import type { KafkaRecord } from './kafka-record.ts'
import { KEPT_SHORT_BYTES_MAX, type KeptItem, keptItemOf } from './kept-item.ts'

/** A record among the rejected events: its bytes as text where they are text, and as base64 where they are not. */
export interface KeptRecord {
  topic: string
  partition: number
  offset: string
  kind: KafkaRecord['kind']
  timestamp: number
  key?: string
  key_base64?: string
  value?: string
  value_base64?: string
  /** The values in base64. */
  headers: [name: string, value: string | null][]
}

export function keptRecordOf({ topic, partition, offset, kind, timestampMs, key, value, headers }: KafkaRecord): KeptRecord {
  return {
    topic,
    partition,
    offset: String(offset),
    kind,
    timestamp: timestampMs,
    ...(key !== null && bytesAs('key', key)),
    ...(value !== null && bytesAs('value', value)),
    headers: headers.map(([name, bytes]) => [name, bytes?.toString('base64') ?? null]),
  }
}

/**
 * A whole record, or a part of one that is too large: the beginnings of its key and value, and its headers if they take at most half of the part.
 * The part is JSON too, so that it can be queried by its fields.
 */
export function keptItemOfRecord(record: KafkaRecord): KeptItem {
  const kept = keptRecordOf(record)
  const whole = keptItemOf({ item: kept })
  if (whole.cutFromBytes === null) return whole
  const headers = JSON.stringify(kept.headers).length <= KEPT_SHORT_BYTES_MAX / 2 ? record.headers : []
  // Halved, because a byte takes up to six in JSON.
  for (let bytes = KEPT_SHORT_BYTES_MAX; ; bytes /= 2) {
    const part = { ...record, headers, key: beginningOf(record.key, bytes), value: beginningOf(record.value, bytes) }
    const text = JSON.stringify(keptRecordOf(part))
    if (Buffer.byteLength(text) <= KEPT_SHORT_BYTES_MAX) return { text, cutFromBytes: whole.cutFromBytes }
  }
}

/** Ends with a whole character where the bytes are text. */
function beginningOf(bytes: Buffer | null, bytesMax: number): Buffer | null {
  if (bytes === null || bytes.length <= bytesMax) return bytes
  let end = bytesMax
  if (isUtf8(bytes)) while ((bytes[end]! & 0xc0) === 0x80) end--
  return bytes.subarray(0, end)
}

/** PostgreSQL reads no NUL from a text. */
function bytesAs(name: 'key' | 'value', bytes: Buffer) {
  return isUtf8(bytes) && !bytes.includes(0) ? { [name]: bytes.toString() } : { [`${name}_base64`]: bytes.toString('base64') }
}

export function recordOfKept(kept: KeptRecord): KafkaRecord {
  return {
    topic: kept.topic,
    partition: kept.partition,
    offset: BigInt(kept.offset),
    kind: kept.kind,
    timestampMs: kept.timestamp,
    key: bytesOf(kept.key, kept.key_base64),
    value: bytesOf(kept.value, kept.value_base64),
    headers: kept.headers.map(([name, base64]) => [name, base64 === null ? null : Buffer.from(base64, 'base64')]),
  }
}

function bytesOf(text: string | undefined, base64: string | undefined): Buffer | null {
  if (text !== undefined) return Buffer.from(text)
  return base64 === undefined ? null : Buffer.from(base64, 'base64')
}
