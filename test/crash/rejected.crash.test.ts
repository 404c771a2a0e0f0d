import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RejectedKey } from '../../src/contract/rejected.ts'
import { callOf } from '../../src/store/log/call.ts'
import { openRejected } from '../../src/store/log/rejected-item.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { answerOf } from '../harness/servers/fail-points.ts'
import { type Death, STATEMENT_ANSWERED } from './endpoint-messages.ts'
import { waitUntilQuiet } from './wait-until-quiet.ts'
import { type CrashStack, startCrashStack } from './stack.ts'
import { recordBatch } from '../harness/items/events.ts'

const FAIL_POINTS = ['record the replay', answerOf('ReplayRejected'), 'count the batch', 'feed the profiles']
/** More than two replays each of two rejected interactions take with their counting. */
const STATEMENTS_MAX = 120
/** The endpoint dies after every twelfth statement, with a random first one. */
const STEP = 12

let stack: CrashStack
beforeAll(async () => {
  stack = await startCrashStack()
}, 60_000)
afterAll(() => stack.stop({ keepFolder: false }))

async function statusOf({ batch_id, index }: RejectedKey): Promise<number> {
  const answer = await fetch(`${stack.ingressUrl}/Analytic/ReplayRejected`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ batch_id, index }),
  })
  return answer.status
}

/** Two operators replay a valid and an invalid item while the endpoint is killed. @returns whether it was killed. */
async function replayAndDie(name: string, death: Death): Promise<boolean> {
  const item = { session_id: 's', event_type: 'view', ref_type: 'Product', ref_id: name }
  const rejections = [item, 7].map((item, index) => ({ index, code: 'refused' as const, field: null, message: name, item }))
  const { batchId } = await recordBatch(stack.db, callOf(name, Buffer.from('')), [], rejections)
  await sql`update interaction_batch set scored_at = now(), fed_at = now() where batch_id = ${batchId}`.execute(stack.db)
  const [good, bad] = [0, 1].map((index) => ({ batch_id: batchId, index })) as [RejectedKey, RejectedKey]

  let statuses: number[] = []
  const hasDied = await stack.dieDuring(death, async () => {
    statuses = await Promise.all([good, bad, good, bad].map(statusOf))
    await waitUntilQuiet(stack)
  })

  const { rows } = await sql<{ events: number }>`
    select count(*)::int as events from interaction where ref_id = ${name}`.execute(stack.db)
  const open = await openRejected(stack.db, 10)
  expect({
    name,
    good: new Set([statuses[0], statuses[2]]),
    bad: new Set([statuses[1], statuses[3]]),
    events: rows[0]!.events,
    rejectedAgain: open.filter((key) => key.batch_id !== batchId).length,
    stillOpen: open.filter((key) => key.batch_id === batchId).length,
  }).toEqual({ name, good: new Set([200, 409]), bad: new Set([200, 409]), events: 1, rejectedAgain: 1, stillOpen: 0 })
  await sql`delete from rejected_interaction`.execute(stack.db)
  return hasDied
}

test(
  'wherever the endpoint is killed, two concurrent replays record an item or its rejection once',
  { timeout: 300_000 },
  async () => {
    for (const point of FAIL_POINTS) {
      expect(await replayAndDie(`at ${point}`, { point, occurrence: 1 }), `the replay did not reach: ${point}`).toBe(true)
    }
    const first = 1 + Math.floor(Math.random() * STEP)
    for (
      let occurrence = first;
      await replayAndDie(`after statement ${occurrence}`, { point: STATEMENT_ANSWERED, occurrence });
    ) {
      occurrence += STEP
      expect(occurrence).toBeLessThan(STATEMENTS_MAX)
    }
    expect((await verify(stack.db)).drift).toEqual([])
  },
)
