import { createHash } from 'node:crypto'
import { setImmediate as otherWork } from 'node:timers/promises'
import { hasFields } from './event-identity.ts'
import { judgeInteractions, type NewInteraction } from './interaction.ts'
import { interactionsIn } from './interaction-record.ts'
import { eventIdOfPlace, jsonOfRecord, judgeProductEvent, type KafkaRecord, type RecordPosition } from './kafka-record.ts'
import type { Privacy } from './privacy.ts'
import { withPrivacy } from './privacy.ts'
import type { ProductVersion } from './product.ts'
import type { ItemProblem } from './rows.ts'
import { wholeRecord } from './whole-record.ts'

/** A record, or an item of its list, that breaks the contract. */
export interface RejectedRecord extends ItemProblem {
  /** As it is kept. */
  record: KafkaRecord
  /** The record that was read. */
  of: KafkaRecord
  /** The interactions in it, for the ids of their shoppers. */
  items?: readonly unknown[]
  /** The place of the item in the record. */
  index: number
}

/** Interactions of a run of records of one partition, up to 500. */
export interface InteractionRun {
  topic: string
  partition: number
  first: bigint
  last: bigint
  /** How many interactions of the first record are in runs before this one. */
  from: number
  /** The hash of their values. */
  sha256: Buffer
  rows: NewInteraction[]
}

export interface JudgedRecords {
  products: ProductVersion[]
  runs: InteractionRun[]
  rejected: RejectedRecord[]
}

export interface JudgeSettings {
  nowMs: number
  /** Of the prices of products. */
  currency: string
  privacy: Privacy
}

/** Records could not be judged in the time or memory that there is. */
export class JudgingError extends Error {}

/** Up to 7 ms of parsing and checking; a larger record is a slice of its own. */
const SLICE_BYTES = 32 * 1024

/** A statement with so many rows is made in 3 ms; one with 10,000 held the event loop for 150 ms. */
const RUN_ROWS_MAX = 500

/** Checks records in their order, each alone. Lets other work of the process run in between. */
export async function judgeRecords(records: readonly KafkaRecord[], settings: JudgeSettings): Promise<JudgedRecords> {
  const judged: JudgedRecords = { products: [], runs: [], rejected: [] }
  const runs: OpenRuns = new Map()
  let bytes = 0
  for (const [index, record] of records.entries()) {
    bytes += record.value?.length ?? 0
    if (bytes > SLICE_BYTES && index > 0) {
      await otherWork()
      bytes = record.value?.length ?? 0
    }
    if (record.kind === 'interaction') {
      const { rows, rejected } = judgeInteractionRecord(record, settings)
      judged.rejected.push(...rejected)
      addToRuns(judged, runs, record, rows)
    } else judgeProductRecord(judged, record, index, settings)
  }
  for (const open of runs.values()) close(judged, open)
  return judged
}

function judgeProductRecord(judged: JudgedRecords, record: KafkaRecord, index: number, { nowMs, currency }: JudgeSettings): void {
  const read = jsonOfRecord(record)
  const verdict =
    'rejection' in read
      ? read
      : judgeProductEvent(record.kind as Exclude<KafkaRecord['kind'], 'interaction'>, read.json, { index, nowMs, currency })
  if ('version' in verdict) judged.products.push(verdict.version)
  else judged.rejected.push({ record, of: record, index: 0, ...verdict.rejection })
}

/** Checks each interaction of a record alone. */
export function judgeInteractionRecord(
  record: KafkaRecord,
  { nowMs, privacy }: Pick<JudgeSettings, 'nowMs' | 'privacy'>,
): { rows: NewInteraction[]; rejected: RejectedRecord[] } {
  const wrong = (rejection: ItemProblem) => ({
    rows: [],
    rejected: [{ ...wholeRecord(record, privacy), of: record, index: 0, ...rejection }],
  })
  const read = jsonOfRecord(record)
  if ('rejection' in read) return wrong(read.rejection)
  const found = interactionsIn(read.json, record)
  if ('rejection' in found) return wrong(found.rejection)
  const items = found.items.map((item) => withPrivacy(item, privacy))
  const judged = judgeInteractions(items, nowMs, (place, timeMs) => eventIdOfPlace(record, place, timeMs))
  const isAlone = items.length === 1 && !isList(read.json)
  const rejected = judged.rejections.map(({ index, code, field, message, item }) => ({
    record: isAlone ? wholeRecord(record, privacy).record : { ...record, headers: [], value: Buffer.from(JSON.stringify(item)) },
    of: record,
    items: [item],
    index,
    code,
    field,
    message,
  }))
  return { rows: judged.rows, rejected }
}

function isList(json: unknown): boolean {
  return (
    hasFields(json) &&
    (Array.isArray(json['interactions']) || (hasFields(json['data']) && Array.isArray(json['data']['interactions'])))
  )
}

/** The last run of each partition, which is not full. */
type OpenRuns = Map<string, OpenRun>
interface OpenRun {
  run: InteractionRun
  values: ReturnType<typeof createHash>
}

function addToRuns(
  judged: JudgedRecords,
  runs: OpenRuns,
  { topic, partition, offset, value }: RecordPosition & Pick<KafkaRecord, 'value'>,
  rows: readonly NewInteraction[],
): void {
  const key = JSON.stringify([topic, partition])
  for (let from = 0; from < rows.length;) {
    const open = runs.get(key) ?? {
      run: { topic, partition, first: offset, last: offset, from, sha256: Buffer.alloc(0), rows: [] },
      values: createHash('sha256'),
    }
    runs.set(key, open)
    open.run.last = offset
    open.values.update(value ?? '')
    const some = rows.slice(from, from + RUN_ROWS_MAX - open.run.rows.length)
    for (const row of some) open.run.rows.push({ ...row, index: open.run.rows.length })
    from += some.length
    if (open.run.rows.length === RUN_ROWS_MAX) {
      close(judged, open)
      runs.delete(key)
    }
  }
}

function close(judged: JudgedRecords, { run, values }: OpenRun): void {
  judged.runs.push({ ...run, sha256: values.digest() })
}
