import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'
import type { BatchRef } from './batch.ts'

/** Waits until no transaction has locked a batch. */
export async function waitForBatch(db: Queryable, { batchId }: BatchRef): Promise<void> {
  await sql`select from interaction_batch where batch_id = ${batchId} for no key update`.execute(db)
}

const LOCK_POLL_MS = 10

/**
 * Locks batches against counting and feeding, in the order of their numbers. It tries again until it has all: to wait for one would make those that work
 * on it wait for this transaction when they mark it. They leave the batches that are locked, so it ends.
 * @param which a condition on batches b, which may hold for fewer of them when it tries again.
 */
export async function lockBatches(tx: Queryable, which: ReturnType<typeof sql>): Promise<void> {
  for (;;) {
    const { rows: locked } = await sql<{ batchId: string }>`
      select batch_id as "batchId" from interaction_batch b where ${which} order by batch_id for update skip locked`.execute(tx)
    const ids = locked.map(({ batchId }) => batchId)
    const { rows: others } = await sql`
      select from interaction_batch b where ${which} and batch_id <> all(${ids}::bigint[]) limit 1`.execute(tx)
    if (others.length === 0) return
    await sleep(LOCK_POLL_MS)
  }
}
