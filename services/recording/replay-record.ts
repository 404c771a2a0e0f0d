import { withCorrection } from '../../src/admission/correction.ts'
import { hasFields } from '../../src/admission/event-identity.ts'
import { judgeInteractionRecord, judgeRecords, type JudgedRecords } from '../../src/admission/judge-records.ts'
import { jsonOfRecord, type KafkaRecord } from '../../src/admission/kafka-record.ts'
import { type KeptRecord, recordOfKept } from '../../src/admission/kept-record.ts'
import { DecidedError } from '../../src/contract/decided-error.ts'
import { ENVELOPE_FIELDS } from '../../src/contract/kafka-record.ts'
import type { Correction } from '../../src/contract/rejected.ts'
import type { Call } from '../../src/store/log/call.ts'
import { replayRecordOnce } from '../../src/store/kafka/replay-record.ts'
import type { Deps } from '../handler/deps.ts'
import { rejectedAgain, type Replay, type Replayed } from './replay.ts'

/** Sends a rejected record of Kafka again, as the consumer would take it. */
export async function replayRecord(deps: Deps, call: Call, { item, key, set, nowMs }: Replay): Promise<Replayed> {
  const record = corrected(recordOfKept(item.item as KeptRecord), set)
  const judging = { nowMs, currency: deps.currency, privacy: deps.privacy }
  const judged = record.kind === 'interaction' ? ofInteractions(record, judging) : await judgeRecords([record], judging)
  const { batch, isChanged } = await replayRecordOnce(deps.db, { call, key, judged, tombstones: deps.tombstones })
  const rejection = judged.rejected[0]
  if (rejection !== undefined) return { batch, answer: rejectedAgain(batch.batchId, { ...rejection, index: 0 }) }
  const eventId = judged.runs[0]?.rows[0]?.eventId
  return { batch, answer: { outcome: isChanged ? 'accepted' : 'duplicate', ...(eventId !== undefined && { event_id: eventId }) } }
}

function ofInteractions(record: KafkaRecord, judging: Parameters<typeof judgeInteractionRecord>[1]): JudgedRecords {
  const { rows, rejected } = judgeInteractionRecord(record, judging)
  const { topic, partition, offset } = record
  const run = { topic, partition, first: offset, last: offset, from: 0, sha256: Buffer.alloc(0), rows }
  return { products: [], runs: rows.length === 0 ? [] : [run], rejected }
}

/** The fields of a product event's `data` are corrected there. A value that is no JSON stays as it is. */
function corrected(record: KafkaRecord, set: Correction | undefined): KafkaRecord {
  const read = jsonOfRecord(record)
  if (set === undefined || 'rejection' in read) return record
  return { ...record, value: Buffer.from(written(correctedJson(record, read.json, set))) }
}

/** @throws DecidedError (conflict) for JSON that can be read and is too deep to be written. */
function written(json: unknown): string {
  try {
    return JSON.stringify(json)
  } catch (cause) {
    throw new DecidedError('conflict', 'the record cannot be corrected: it is nested too deeply', { cause })
  }
}

function correctedJson({ kind }: KafkaRecord, json: unknown, set: Correction): unknown {
  if (kind === 'interaction') return isCloudEvent(json) ? withDataCorrection(json, set) : withCorrection(json, set)
  const entries = Object.entries(set)
  const ofEnvelope = entries.filter(([name]) => ENVELOPE_FIELDS.includes(name))
  const ofData = entries.filter(([name]) => !ENVELOPE_FIELDS.includes(name))
  return withDataCorrection(withCorrection(json, Object.fromEntries(ofEnvelope)), Object.fromEntries(ofData))
}

function isCloudEvent(json: unknown): boolean {
  return hasFields(json) && Object.hasOwn(json, 'specversion')
}

function withDataCorrection(json: unknown, set: Correction): unknown {
  return hasFields(json) ? { ...json, data: withCorrection(json['data'], set) } : json
}
