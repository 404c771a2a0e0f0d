import { expect, test, vi } from 'vitest'
import { heldCommit, many, nextTurn } from '../harness/items/held-commit.ts'

test('large requests hold up neither small ones of their caller nor those of others', async () => {
  const { calls, record } = heldCommit()
  for (let n = 0; n < 5; n++) void record(many(10_000, `large ${n} `))
  await nextTurn()
  expect(calls.map((call) => call.events.length)).toEqual([10_000, 10_000, 10_000, 10_000])
  void record(['small'])
  void record(['of another'], {}, 'other')
  await nextTurn()
  expect(calls[4]!.events).toEqual(['small', 'of another'])
})

test('a caller with much waiting shares no flush with others, and has the order of its own', async () => {
  const { calls, record } = heldCommit()
  const flood = (count: number) => {
    for (let n = 0; n < count; n++) void record([`flood ${n}`], {}, 'flooding')
  }
  flood(150)
  void record(['first'])
  await nextTurn()
  expect(calls.map((call) => call.events.length)).toEqual([1, 150])
  flood(150)
  calls[0]!.answer()
  void record(['second'])
  await nextTurn()
  expect(calls[2]!.events).toEqual(['second'])
  calls[1]!.answer()
  await nextTurn()
  // Its senders are waited for, for 10 ms at most.
  await vi.waitFor(() => expect(calls[3]!.events).toHaveLength(150))
})

test.for([
  ['single events', 1, 1_000],
  ['requests of 250 events', 250, 50],
  ['requests of 10,000 events', 10_000, 8],
] as const)('%s of one caller leave flushes to another one', async ([_name, events, requests]) => {
  const { calls, record } = heldCommit({ queueEventsMax: 1_000_000, queueBytesMax: 100_000_000 })
  for (let n = 0; n < requests; n++) void record(many(events, `flood ${n} `), {}, 'flooding')
  await nextTurn()
  const before = calls.length
  expect(before).toBeGreaterThan(0)
  void record(many(2_000, 'other '), {}, 'other')
  await nextTurn()
  expect(calls).toHaveLength(before + 1)
  expect(calls.at(-1)!.events).toHaveLength(2_000)
})

test('old events of any number of callers leave flushes to current ones', async () => {
  const { calls, record } = heldCommit()
  const sizes = [1, 50, 500, 2_000]
  for (let n = 0; n < 5; n++) for (const size of sizes) void record(many(size, 'old '), {}, `importer ${n}`, 0)
  await nextTurn()
  expect(calls).toHaveLength(4)
  void record(many(2_000, 'current '), {}, 'importer 0')
  void record(many(2_000, 'of another '), {}, 'shop')
  await nextTurn()
  expect(calls.slice(4).map(({ events }) => events[0])).toEqual(['current 0', 'of another 0'])
  calls[0]!.answer()
  await nextTurn()
  // The place of an old flush is for the next old one.
  expect(calls.slice(6).map(({ events }) => events[0])).toEqual(['old 0'])
})

test('current events of any number of callers leave flushes to old ones', async () => {
  const { calls, record } = heldCommit()
  for (let n = 0; n < 10; n++) void record(many(2_000, 'current '), {}, `shop ${n}`)
  await nextTurn()
  expect(calls).toHaveLength(8)
  void record(many(2_000, 'old '), {}, 'importer', 0)
  await nextTurn()
  expect(calls.slice(8).map(({ events }) => events[0])).toEqual(['old 0'])
})

test('while small requests of others go out, a caller has one large call at a time, of fewer events', async () => {
  const { calls, record } = heldCommit()
  void record(['small'], {}, 'other')
  await nextTurn()
  for (let n = 0; n < 6; n++) void record(many(600, `large ${n} `), {}, 'flooding')
  await nextTurn()
  expect(calls.map((call) => call.events.length)).toEqual([1, 600])
  calls[1]!.answer()
  // It pauses for twice as long as the call took.
  await vi.waitFor(() => expect(calls.map((call) => call.events.length)).toEqual([1, 600, 600]))
})

test('a caller that fills the queue keeps no other one out', async () => {
  const { calls, record } = heldCommit({ queueEventsMax: 1_000, flushesMax: 1 })
  void record(many(1_000, 'flood '), {}, 'flooding')
  await nextTurn()
  void record(many(1_000, 'more '), {}, 'flooding')
  await expect(record(many(101, 'too much '), {}, 'flooding')).rejects.toMatchObject({ code: 'unavailable' })
  void record(['other'], {}, 'other')
  await nextTurn()
  expect(calls.map((call) => call.events.length)).toEqual([1_000, 1])
  for (let n = 0; n < 250; n++) void record([`${n}`], {}, `other ${n}`)
  await expect(record(['no room'], {}, 'late')).rejects.toMatchObject({ code: 'unavailable' })
})
