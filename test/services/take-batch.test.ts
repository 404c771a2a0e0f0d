import type { Context } from '@restatedev/restate-sdk'
import { expect, test } from 'vitest'
import type { Deps } from '../../services/handler/deps.ts'
import { takeBatch } from '../../services/recording/take-batch.ts'
import { RecordedBatch } from '../../src/contract/recorded-batch.ts'
import { LOST } from '../../src/store/log/waiting.ts'
import type { Taken } from '../../src/store/log/take-waiting.ts'
import { TEST_DEPS } from '../harness/servers/deps.ts'

const HOUR_MS = 3_600_000
const BOUNDS = { from: '2026-03-01T12:00:00.000Z', to: '2026-03-01T13:00:00.000Z', call: 'a'.repeat(32) }

type Options = { idempotencyKey?: string; delay?: unknown }

/** What a message sends whose step took this: each message with its options, as Restate journals it. */
async function sentAfter(taken: Taken | typeof LOST): Promise<[RecordedBatch, Options][]> {
  const sent: [RecordedBatch, Options][] = []
  const ctx = {
    // What a step returns is read back from the journal.
    run: async (_name: string, work: () => Promise<unknown>) => {
      const result = JSON.stringify(await work())
      return result === undefined ? undefined : (JSON.parse(result) as unknown)
    },
    request: () => ({ id: 'inv_1' }),
    rand: { random: () => 0.5 },
    date: { now: async () => 7 * HOUR_MS + 1 },
    console: { warn: () => undefined },
  }
  await takeBatch(
    TEST_DEPS as Deps,
    ctx as unknown as Context,
    { batch_id: '1', ...BOUNDS },
    {
      step: 'count the batch',
      target: 'popularity',
      take: async () => taken,
      isTaken: async () => false,
      sendAgain: (_ctx, message, options) => sent.push([message, options.getOpts()]),
    },
  )
  for (const [message] of sent) expect(RecordedBatch.parse(message)).toEqual(message)
  return sent
}

test('a message whose work is done sends nothing', async () => {
  expect(await sentAfter({ batches: 3, events: 9 })).toEqual([])
  expect(await sentAfter(LOST)).toEqual([])
})

test('the batch with which the work goes on is sent at once, and batches that were left at most once an hour each', async () => {
  const taken = { batches: 16, events: 99, next: { batchId: '9', ...BOUNDS }, left: [{ batchId: '4', ...BOUNDS }] }
  const sent = await sentAfter(taken)
  expect(sent).toMatchObject([
    [{ batch_id: '9', ...BOUNDS }, {}],
    [{ batch_id: '4', ...BOUNDS }, { idempotencyKey: 'left popularity 4 7' }],
  ])
  expect(sent[0]![1].idempotencyKey).toBeUndefined()
})

test('a batch that was locked gets another message later, which comes after all that are sent with its key', async () => {
  const locked = { batchId: '4', ...BOUNDS }
  const sent = await sentAfter({ batches: 1, events: 1, left: [locked], locked: [locked] })
  expect(sent).toMatchObject([
    [{ batch_id: '4' }, { idempotencyKey: 'left popularity 4 7' }],
    [{ batch_id: '4' }, { idempotencyKey: `locked popularity 4 ${(7 * HOUR_MS) / 10_000}`, delay: 15_000 }],
  ])
})

test('a message that must come again is sent with a delay', async () => {
  const sent = await sentAfter({ batches: 0, events: 0, again: true })
  expect(sent).toEqual([[{ batch_id: '1', ...BOUNDS }, { delay: 15_000 }]])
})
