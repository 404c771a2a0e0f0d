import { once } from 'node:events'
import type { Worker } from 'node:worker_threads'
import { afterEach, expect, onTestFinished, test } from 'vitest'
import { itemsOfLargeRequest } from '../../src/admission/request-items.ts'
import { writeItems } from '../../src/admission/write-items.ts'
import type { AssignedIdentity } from '../../src/admission/event-identity.ts'
import { createItemsWorker, type ItemsWorker, type ItemsWorkerOptions } from '../../src/workers/items-worker.ts'
import type { ItemsJob } from '../../src/workers/protocol.ts'

const ITEMS = [
  { session_id: 's', event_type: 'view', ref_type: 'Product', ref_id: 'ä🛒', ip_address: '203.0.113.7' },
  { event_id: '0d1d5a8e-1f0a-4c8e-9a53-6a2f5f9d2b11', metadata: 'none' },
  null,
]
const TEXT = JSON.stringify({ interactions: ITEMS })

function jobOf(text: string, changes: Partial<ItemsJob> = {}): ItemsJob {
  const body = new TextEncoder().encode(text)
  return {
    list: 'interactions',
    body,
    privacy: { ipAddress: 'truncate', userAgent: 'drop' },
    idsAtMs: undefined,
    leaveOut: undefined,
    ...changes,
  }
}

const caller = (name = 'a', isGone = () => false) => ({ caller: name, isGone })

let worker: ItemsWorker
function started(options: ItemsWorkerOptions = {}): ItemsWorker {
  worker = createItemsWorker(options)
  return worker
}
afterEach(() => worker.stop())

test('a body is written as without a thread, and its bytes are handed over', async () => {
  const { write } = started()
  const job = jobOf(TEXT)
  const { body, list, ...writing } = jobOf(TEXT)
  const { json, ...rest } = await write(job, caller())
  const { texts, assigned } = writeItems(itemsOfLargeRequest(Buffer.from(body), list), writing)
  expect(rest).toEqual({ count: 3, assigned: JSON.stringify(assigned), split: undefined, partEnds: expect.any(Array) })
  expect(new TextDecoder().decode(json)).toBe(texts.join(','))
  expect(texts[0]).toContain('"ip_address":"203.0.113.0"')
  expect(job.body.byteLength).toBe(0)
})

test('events without an id get one, with the index of the event', async () => {
  const { write } = started()
  const { assigned: text, json } = await write(jobOf(TEXT, { idsAtMs: 1_000 }), caller())
  const assigned = JSON.parse(text) as AssignedIdentity[]
  expect(assigned).toEqual([{ index: 0, event_id: expect.any(String), occurred_at: '1970-01-01T00:00:01.000Z' }])
  expect(new TextDecoder().decode(json)).toContain(assigned[0]!.event_id)
})

test('items that will be rejected are left out when the gateway rejects them itself', async () => {
  const { write } = started()
  const { json, count, split } = await write(jobOf(TEXT, { leaveOut: { kind: 'interaction', nowMs: Date.now() } }), caller())
  expect([count, JSON.parse(new TextDecoder().decode(json))]).toEqual([1, expect.objectContaining({ ref_id: 'ä🛒' })])
  expect(split).toEqual({
    indexes: [0],
    rejected: [expect.objectContaining({ index: 1, field: 'event_type' }), expect.objectContaining({ index: 2, field: null })],
  })
})

test.each([
  ['no JSON', '{"interactions":[{a}]}', /^the body is not JSON: item 0: /],
  ['no items', '{"interactions":[]}', /^interactions: must not be empty$/],
  ['20,000 items', `{"interactions":[${'[],'.repeat(20_000)}1]}`, /^interactions: must have at most 10000 items$/],
])('a body with %s is refused as without a thread', async (_what, text, message) => {
  const { write } = started()
  await expect(write(jobOf(text), caller())).rejects.toMatchObject({
    code: 'invalid_request',
    message: expect.stringMatching(message),
  })
})

test('the bodies of one caller do not keep those of another waiting', async () => {
  const { write } = started()
  const done: string[] = []
  const send = (name: string) => write(jobOf(TEXT), caller(name)).then(() => done.push(name))
  await Promise.all(['a', 'a', 'a', 'a', 'b', 'b', 'c'].map(send))
  expect(done).toEqual(['a', 'a', 'b', 'c', 'a', 'b', 'a'])
})

test('the body of a caller that has hung up is not judged', async () => {
  const { write } = started()
  const first = write(jobOf(TEXT), caller())
  const gone = write(
    jobOf(TEXT),
    caller('a', () => true),
  )
  const last = write(jobOf(TEXT), caller())
  await expect(gone).rejects.toMatchObject({ code: 'unavailable', message: 'the caller has hung up' })
  expect(await Promise.all([first, last])).toHaveLength(2)
})

test('a body that needs too much memory is refused, and the next one is written', async () => {
  const { write } = started({ heapMegabytesMax: 24 })
  const large = `{"interactions":[{"a":"${'ä'.repeat(15_000_000)}"}]}`
  await expect(write(jobOf(large), caller())).rejects.toMatchObject({
    code: 'too_large',
    message: expect.stringMatching('takes too much memory'),
  })
  expect(await write(jobOf(TEXT), caller())).toMatchObject({ count: 3 })
})

test('a body that takes too long is answered as not recorded', async () => {
  const { write } = started({ jobMsMax: 0 })
  const both = [write(jobOf(TEXT), caller()), write(jobOf(TEXT), caller())]
  for (const one of both)
    await expect(one).rejects.toMatchObject({ code: 'unavailable', message: expect.stringMatching('nothing of it was recorded') })
})

test('a thread that ended without work is replaced', async () => {
  const threads: Worker[] = []
  const note = (thread: Worker) => threads.push(thread)
  process.on('worker', note)
  onTestFinished(() => void process.off('worker', note))
  const { write } = started({ idleMs: 0 })
  for (let round = 1; round <= 3; round++) {
    expect(await write(jobOf(TEXT), caller())).toMatchObject({ count: 3 })
    expect(threads).toHaveLength(round)
    await once(threads.at(-1)!, 'exit')
  }
})
