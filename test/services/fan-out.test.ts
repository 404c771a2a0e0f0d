import type { Context } from '@restatedev/restate-sdk'
import { expect, test } from 'vitest'
import { fanOut } from '../../services/recording/fan-out.ts'
import { RecordedBatch } from '../../src/contract/recorded-batch.ts'
import type { BatchBounds } from '../../src/store/log/batch.ts'

/** What a batch of interactions is sent on with, as Restate journals it. */
function sentFor(batch: BatchBounds): string[] {
  const sent: string[] = []
  const send = (message: unknown) => sent.push(JSON.stringify(message))
  const ctx = { sendClient: () => ({ HandlePopularityEvent: send, AddInteraction: send }) }
  fanOut(ctx as unknown as Context, 'interaction', batch)
  return sent
}

const BOUNDS = { batchId: '7', from: '2026-03-01T12:00:00.000Z', to: '2026-03-01T13:00:00.000Z' }

test('a call that the release before left half-way sends on replay the bytes that it sent then', () => {
  const before = '{"batch_id":"7","from":"2026-03-01T12:00:00.000Z","to":"2026-03-01T13:00:00.000Z"}'
  expect(sentFor(BOUNDS)).toEqual([before, before])
  expect(RecordedBatch.parse(JSON.parse(before))).toEqual(JSON.parse(before))
})

test('a batch is sent on with the call that recorded it', () => {
  const [message] = sentFor({ ...BOUNDS, call: 'a'.repeat(32) })
  expect(RecordedBatch.parse(JSON.parse(message!))).toMatchObject({ batch_id: '7', call: 'a'.repeat(32) })
})
