import { sql } from 'kysely'
import { expect } from 'vitest'
import type { BacklogResponse } from '../../src/contract/backlog.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { feedBatch } from '../../src/store/shoppers/shopper-profile.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { interaction, record } from '../harness/items/events.ts'
import { clear, type TestDatabase } from '../harness/servers/database.ts'
import { startGateway } from '../harness/servers/gateway.ts'

test.beforeEach(({ db }) => clear(db))

/** Of a new gateway, because a gateway shares its answer for half a second. */
async function backlogOf({ url }: Pick<TestDatabase, 'url'>): Promise<BacklogResponse['data']> {
  const gateway = await startGateway(url, { ingressUrl: 'http://127.0.0.1:1' })
  const answer = await fetch(`${gateway.url}/api/v1/backlog`)
  await gateway.stop()
  expect(answer.status).toBe(200)
  return ((await answer.json()) as BacklogResponse).data
}

const NOTHING = { batches: 0, events: 0, oldest_seconds: null }

test('nothing waits in an empty database', async ({ database }) => {
  const nothing = { waiting_batches: 0, waiting_events: 0, oldest_seconds: null }
  expect(await backlogOf(database)).toEqual({ ...nothing, counting: NOTHING, feeding: NOTHING })
})

test('a batch that is neither counted nor fed waits once, and ages are those of the oldest', async ({ db, database }) => {
  const batches = []
  for (const size of [1, 2, 4])
    batches.push(
      await record(
        db,
        Array.from({ length: size }, () => interaction()),
      ),
    )
  const [first, second, third] = batches as [(typeof batches)[0], (typeof batches)[0], (typeof batches)[0]]
  const age = (batchId: string, minutes: number) =>
    sql`update interaction_batch set received_at = now() - ${minutes} * interval '1 minute' where batch_id = ${batchId}::bigint`.execute(
      db,
    )
  // Marked here, because counting takes other waiting batches along.
  const mark = (column: 'scored_at' | 'fed_at', batchId: string) =>
    sql`update interaction_batch set ${sql.ref(column)} = now() where batch_id = ${batchId}::bigint`.execute(db)
  await Promise.all([age(first.batchId, 60), age(second.batchId, 30), age(third.batchId, 10)])
  await mark('scored_at', first.batchId)
  await mark('fed_at', second.batchId)

  const { counting, feeding, ...waiting } = await backlogOf(database)
  expect(waiting).toMatchObject({ waiting_batches: 3, waiting_events: 7 })
  expect([waiting.oldest_seconds! / 60, counting.oldest_seconds! / 60, feeding.oldest_seconds! / 60].map(Math.floor)).toEqual([
    60, 30, 60,
  ])
  expect(counting).toMatchObject({ batches: 2, events: 6 })
  expect(feeding).toMatchObject({ batches: 2, events: 5 })

  await countBatch(db, third)
  await feedBatch(db, third)
  expect(await backlogOf(database)).toMatchObject({ waiting_batches: 0, counting: NOTHING, feeding: NOTHING })
})
