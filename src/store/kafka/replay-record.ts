import type { JudgedRecords } from '../../admission/judge-records.ts'
import { keptRecordOf } from '../../admission/kept-record.ts'
import { upsertProducts } from '../catalog/catalog-product.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { isMissingPartition } from '../database/sql-state.ts'
import { type BatchBounds, batchOf, insertBatch } from '../log/batch.ts'
import type { Call } from '../log/call.ts'
import { countCall } from '../log/ingest.ts'
import { erasedItems, shopperIdsOfCall } from '../log/erased-items.ts'
import { INTERACTIONS } from '../log/interaction.ts'
import { makePartitions, monthOf } from '../log/month.ts'
import { ingestKindOf } from './rejected-record.ts'
import { lockUnlessReplayed, markReplayed, type ReplayOf } from '../log/rejected-replay.ts'
import type { Tombstones } from '../log/tombstone.ts'

interface Replay {
  call: Call
  key: ReplayOf
  /** Of the one record. */
  judged: JudgedRecords
  tombstones: Tombstones
}

const OF_RECORDS = { ...INTERACTIONS, rejectedKind: 'record' as const }
const ATTEMPTS_MAX = 4

/**
 * Stores what a rejected record brings, as a batch of the call, and marks it as replayed. A repeated attempt changes nothing.
 * @throws DecidedError (conflict) when another call has replayed it.
 */
export async function replayRecordOnce(db: Database, replay: Replay): Promise<{ batch: BatchBounds; isChanged: boolean }> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.transaction().execute((tx) => storeOnce(tx, replay))
    } catch (error) {
      if (attempt === ATTEMPTS_MAX || !isMissingPartition(error)) throw error
      const rows = replay.judged.runs.flatMap((run) => run.rows)
      await makePartitions(db, [...new Set(rows.map(({ occurredAtMs }) => monthOf(occurredAtMs)))], ['interaction'])
    }
  }
}

async function storeOnce(
  tx: Queryable,
  { call, key, judged, tombstones }: Replay,
): Promise<{ batch: BatchBounds; isChanged: boolean }> {
  await lockUnlessReplayed(tx, key, call)
  const rows = judged.runs.flatMap((run) => run.rows)
  const rejections = judged.rejected.map(({ record, index, code, field, message }) => {
    return { index, code, field, message, item: keptRecordOf(record) }
  })
  const { products, rejected } = judged
  const changed = products.length === 0 ? [] : await upsertProducts(tx, call, products, rejected.length)
  const checked = await tombstones.check(tx, shopperIdsOfCall(rows, []), true)
  const erased = erasedItems(checked, rows, [])
  const { inserted, isOutdated } = await insertBatch(tx, OF_RECORDS, call, erased.rows, rejections, checked.tombstoneNo, {
    isCounted: rows.length > 0,
  })
  if (isOutdated) throw new Error('a person was erased while a record was replayed')
  // A record that is rejected again may bring neither.
  if (products.length === 0 && rows.length === 0 && rejected.length > 0)
    await countCall(tx, call, ingestKindOf(rejected[0]!.record), { accepted: 0, duplicates: 0, rejected: rejected.length })
  await markReplayed(tx, key, call)
  return { batch: (await batchOf(tx, call))!, isChanged: changed.length + inserted > 0 }
}
