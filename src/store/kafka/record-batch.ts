import { randomUUID } from 'node:crypto'
import type { InteractionRun, JudgedRecords, RejectedRecord } from '../../admission/judge-records.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { isMissingPartition } from '../database/sql-state.ts'
import { type BatchBounds, batchOf, insertBatch } from '../log/batch.ts'
import { type Call, callOf } from '../log/call.ts'
import { erasedItems, shopperIdsOfCall } from '../log/erased-items.ts'
import { INTERACTIONS } from '../log/interaction.ts'
import { makePartitions, monthOf } from '../log/month.ts'
import { type Checked, type Tombstones, WITHOUT_KEY } from '../log/tombstone.ts'
import { moveOffsets, moveOffsetsAndUpsert, type OffsetMove } from './offset.ts'
import { keepRejected } from './rejected-record.ts'

/** What a transaction stored. */
export interface StoredRecords {
  /** The batches of interactions that wait to be counted. */
  batches: BatchBounds[]
  /** How many products changed the catalog. */
  changed: number
  /** How many interactions were new. */
  recorded: number
}

/** Each missing month costs one more attempt. More than a few mean a fault. */
const ATTEMPTS_MAX = 4

/** A statement with so many is made in 10 ms; one with 10,000 held the event loop for 700 ms. */
const REJECTED_MAX = 250

/**
 * Stores what records bring, and moves the offsets of their partitions, in one transaction. @throws FencedError when another consumer
 * moved one of them.
 */
export async function storeRecords(
  db: Database,
  moves: readonly OffsetMove[],
  judged: JudgedRecords,
  tombstones: Tombstones = WITHOUT_KEY,
): Promise<StoredRecords> {
  if (judged.products.length > 0 && judged.runs.length === 0 && judged.rejected.length === 0) {
    const changed = await moveOffsetsAndUpsert(db, moves, newCall(), judged.products)
    return { batches: [], changed, recorded: 0 }
  }
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.transaction().execute((tx) => storeOnce(tx, moves, judged, tombstones))
    } catch (error) {
      if (attempt === ATTEMPTS_MAX || !isMissingPartition(error)) throw error
      const rows = judged.runs.flatMap((run) => run.rows)
      await makePartitions(db, [...new Set(rows.map(({ occurredAtMs }) => monthOf(occurredAtMs)))], ['interaction'])
    }
  }
}

async function storeOnce(
  tx: Queryable,
  moves: readonly OffsetMove[],
  { products, runs, rejected }: JudgedRecords,
  tombstones: Tombstones,
): Promise<StoredRecords> {
  const stored: StoredRecords = { batches: [], changed: 0, recorded: 0 }
  if (products.length === 0) await moveOffsets(tx, moves)
  else stored.changed = await moveOffsetsAndUpsert(tx, moves, newCall(), products)
  // In key order, so that two consumers with common events deadlock less often. PostgreSQL ends one of two that do, and it tries again.
  for (const run of runs.toSorted((one, other) => (callIdText(one) < callIdText(other) ? -1 : 1))) {
    stored.recorded += await recordRun(tx, run, tombstones)
    const batch = await batchOf(tx, callOfRun(run))
    if (batch !== undefined) stored.batches.push(batch)
  }
  for (let at = 0; at < rejected.length; at += REJECTED_MAX) {
    await keepRejected(tx, await withoutErased(tx, rejected.slice(at, at + REJECTED_MAX), tombstones))
  }
  return stored
}

/** @returns how many rows were new. */
async function recordRun(tx: Queryable, run: InteractionRun, tombstones: Tombstones): Promise<number> {
  const check = (isAgain: boolean) => tombstones.check(tx, shopperIdsOfCall(run.rows, []), isAgain)
  const insert = (checked: Checked) => {
    const { rows } = erasedItems(checked, run.rows, [])
    return insertBatch(tx, INTERACTIONS, callOfRun(run), rows, [], checked.tombstoneNo)
  }
  const first = await insert(await check(false))
  if (!first.isOutdated) return first.inserted
  // The first statement has locked the table, so that no further erasure comes in between.
  const second = await insert(await check(true))
  if (second.isOutdated) throw new Error('a person was erased while events were recorded')
  return second.inserted
}

/** Nothing is kept of a rejected interaction of a person who was erased but where it was. */
async function withoutErased(
  tx: Queryable,
  rejected: readonly RejectedRecord[],
  tombstones: Tombstones,
): Promise<readonly RejectedRecord[]> {
  const idsOf = (some: readonly RejectedRecord[]) => [
    ...shopperIdsOfCall(
      [],
      some.flatMap(({ items = [], ...each }) => items.map((item) => ({ ...each, item }))),
    ),
  ]
  const ids = idsOf(rejected)
  if (ids.length === 0) return rejected
  const { erasedUntilMs } = await tombstones.check(tx, ids, true)
  if (erasedUntilMs.size === 0) return rejected
  return rejected.map((each) => {
    if (!idsOf([each]).some((id) => erasedUntilMs.has(id))) return each
    return {
      ...each,
      message: 'was about a person who was erased',
      record: { ...each.record, key: null, value: null, headers: [] },
    }
  })
}

const callIdText = ({ topic, partition }: InteractionRun) => `${topic}/${partition}`

/** The call of a run is its topic, its partition and its offsets, and its place in a record of more than one run. */
function callOfRun({ topic, partition, first, last, from, sha256 }: InteractionRun): Call {
  return { invocationId: `kafka ${topic}/${partition}/${first}-${last}${from === 0 ? '' : ` from ${from}`}`, bodySha256: sha256 }
}

/**
 * A call of its own for each attempt: the row that a call wrote takes every version of the same call, and the records at the same offsets may be
 * others once a topic was made again or compacted.
 */
function newCall(): Call {
  return callOf('kafka', Buffer.from(randomUUID()))
}
