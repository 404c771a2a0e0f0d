import type { Database } from '../../../src/store/database/connection.ts'
import { callOf } from '../../../src/store/log/call.ts'
import { countBatch } from '../../../src/store/popularity/counting.ts'
import { feedBatch } from '../../../src/store/shoppers/shopper-profile.ts'
import { recordBatch } from '../../harness/items/events.ts'
import { type Item, rowOf } from '../items/events.ts'

/** Records the batches, then counts and feeds them as one group. */
export async function ingestGroup(db: Database, batches: readonly (readonly Item[])[], name: string): Promise<void> {
  const recorded = []
  for (const [index, items] of batches.entries()) {
    recorded.push(await recordBatch(db, callOf(`${name}.${index}`, Buffer.from(name)), items.map(rowOf), []))
  }
  const [first] = recorded
  if (first !== undefined) await Promise.all([countBatch(db, first), feedBatch(db, first)])
}
