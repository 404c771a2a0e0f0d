import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RejectedKey } from '../../src/contract/rejected.ts'
import { callOf } from '../../src/store/log/call.ts'
import { recordBatch } from '../../src/store/log/batch.ts'
import { openRejected } from '../../src/store/log/rejected-item.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { answerOf } from '../harness/servers/fail-points.ts'
import type { Death } from './endpoint.ts'
import { quiet } from './wait-until-quiet.ts'
import { type CrashStack, startCrashStack } from './stack.ts'

const FAIL_POINTS = ['record the replay', answerOf('ReplayRejected'), 'count the batch', 'feed the profiles']
/** Two replays each of two refused interactions, with their counting. */
const STATEMENTS_MAX = 120
/** Every twelfth statement, from another one in each run. */
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

/** Two operators replay an event that is good now and one that is not, while the endpoint is killed. @returns whether it was. */
async function replayAndDie(name: string, death: Death): Promise<boolean> {
  const item = { session_id: 's', event_type: 'view', ref_type: 'Product', ref_id: name }
  const rejections = [item, 7].map((item, index) => ({ index, code: 'refused' as const, field: null, message: name, item }))
  const { batchId } = await recordBatch(stack.db, callOf(name, Buffer.from('')), [], rejections)
  await sql`update interaction_batch set scored_at = now(), fed_at = now() where batch_id = ${batchId}`.execute(stack.db)
  const [good, bad] = [0, 1].map((index) => ({ batch_id: batchId, index })) as [RejectedKey, RejectedKey]

  const { died } = await stack.arm(death)
  const answers = Promise.all([good, bad, good, bad].map(statusOf))
  const done = answers.then(() => quiet(stack))
  const hasDied = await stack.outlive(died, done)
  await done

  const [goodOne, badOne, goodOther, badOther] = (await answers) as [number, number, number, number]
  const { rows } = await sql<{ events: number }>`
    select count(*)::int as events from interaction where ref_id = ${name}`.execute(stack.db)
  const open = await openRejected(stack.db, 10)
  expect({
    name,
    good: new Set([goodOne, goodOther]),
    bad: new Set([badOne, badOther]),
    events: rows[0]!.events,
    refusedAgain: open.filter((key) => key.batch_id !== batchId).length,
    stillOpen: open.filter((key) => key.batch_id === batchId).length,
  }).toEqual({ name, good: new Set([200, 409]), bad: new Set([200, 409]), events: 1, refusedAgain: 1, stillOpen: 0 })
  await sql`delete from rejected_interaction`.execute(stack.db)
  return hasDied
}

test(
  'wherever the endpoint is killed, a replay by two at once counts once and leaves one line',
  { timeout: 300_000 },
  async () => {
    for (const point of FAIL_POINTS) {
      expect(await replayAndDie(`at ${point}`, { point, passage: 1 }), `nobody came by: ${point}`).toBe(true)
    }
    const first = 1 + Math.floor(Math.random() * STEP)
    for (let passage = first; await replayAndDie(`after statement ${passage}`, { point: 'statement answered', passage });) {
      passage += STEP
      expect(passage).toBeLessThan(STATEMENTS_MAX)
    }
    expect((await verify(stack.db)).drift).toEqual([])
  },
)
