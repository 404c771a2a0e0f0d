import fc from 'fast-check'
import { expect, test } from 'vitest'
import { charactersOf, earliestMsOf, partEndsOf } from '../../src/admission/item-parts.ts'
import type { CreateInteractionResponse } from '../../src/contract/interaction.ts'
import { createGroupCommit } from '../../src/gateway/recording/group-commit.ts'
import { partsOfRequest, wholeRequest } from '../../src/gateway/recording/request-parts.ts'
import { answerOf, answersOf } from '../../src/gateway/recording/senders.ts'
import type { EventsBody } from '../../src/ingress/recorder.ts'
import { DAY_MS, instantOf } from '../../src/contract/fields/time.ts'
import { uuidV7 } from '../../src/contract/fields/event-id.ts'
import { SILENT_OBSERVER } from '../harness/servers/silent-observer.ts'

const sender = { caller: 'shop', connection: {} }
const bytesOf = (text: string) => Buffer.byteLength(text)
const itemsIn = (json: string | Buffer) => JSON.parse(`[${json.toString()}]`) as unknown[]

test('the parts of a request have its items in order, and each is bounded', () => {
  const item = fc.oneof(fc.string(), fc.constant('x'.repeat(100_000)), fc.constant('é,"é'.repeat(20_000)))
  fc.assert(
    fc.property(fc.array(item, { minLength: 1, maxLength: 30 }), fc.boolean(), fc.nat(3_000), (some, isBuffer, more) => {
      const items = [...some, ...Array.from({ length: more }, (_, n) => n)]
      const texts = items.map((one) => JSON.stringify(one))
      const json = isBuffer ? Buffer.from(texts.join(',')) : texts.join(',')
      const partEnds = partEndsOf(
        texts,
        isBuffer ? bytesOf : charactersOf,
        texts.map(() => Infinity),
      )
      const keptShort = items.flatMap((_, index) => (index % 700 === 0 ? [index] : []))
      const parts = partsOfRequest({ ...sender, json, count: items.length, partEnds, keptShort })
      expect(parts.flatMap((part) => itemsIn(part.json))).toEqual(items)
      expect(parts.map(({ count }) => count)).toEqual(parts.map((part) => itemsIn(part.json).length))
      let start = 0
      const kept = parts.flatMap(({ count, keptShort: ofPart }) => {
        start += count
        return ofPart!.map((index) => start - count + index)
      })
      expect(kept).toEqual(keptShort)
      for (const { json: part, count } of parts) expect(count === 1 || (count <= 1_000 && part.length <= 256 * 1024)).toBe(true)
    }),
  )
})

test('the answer to a request of several parts has the indexes of the request', () => {
  const verdict = fc.constantFrom('accepted', 'duplicate', 'rejected')
  fc.assert(
    fc.property(fc.array(fc.array(verdict, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 6 }), (verdicts) => {
      const all = verdicts.flat()
      const indexesOf = (wanted: string) => all.flatMap((one, index) => (one === wanted ? [index] : []))
      const whole: CreateInteractionResponse = {
        accepted: indexesOf('accepted').length,
        duplicates: indexesOf('duplicate').length,
        duplicate_indexes: indexesOf('duplicate'),
        rejected: indexesOf('rejected').map((index) => ({ index, code: 'invalid', field: null, message: 'no' })),
      }
      const parts = verdicts.map(({ length: count }) => ({ count }))
      expect(answerOf(parts, answersOf(parts, whole))).toEqual(whole)
    }),
  )
})

/** Calls that accept everything, and the numbers of their events. */
function accepting(queueEventsMax: number) {
  const sizes: number[] = []
  const send = async (body: EventsBody) => {
    const { length: accepted } = (JSON.parse(body.toString()) as { interactions: unknown[] }).interactions
    sizes.push(accepted)
    return { answer: { accepted, duplicates: 0, duplicate_indexes: [], rejected: [] } }
  }
  const limits = { list: 'interactions', flushesMax: 1, queueEventsMax, queueBytesMax: 10_000_000, deadlineMs: 60_000 }
  const senders = { send, partsOf: answersOf, wholeOf: answerOf }
  const { record } = createGroupCommit({ ...limits, ...senders, observer: SILENT_OBSERVER })
  const recordMany = (count: number) => {
    const texts = Array.from({ length: count }, (_, n) => `${n}`)
    return record({
      ...sender,
      json: texts.join(','),
      count,
      partEnds: partEndsOf(
        texts,
        charactersOf,
        texts.map(() => Infinity),
      ),
    })
  }
  return { sizes, recordMany }
}

test('a large request is recorded in several calls, with as many parts in each as fit', async () => {
  const { sizes, recordMany } = accepting(50_000)
  expect(await recordMany(10_000)).toMatchObject({ accepted: 10_000 })
  expect(sizes).toEqual([4_000, 4_000, 2_000])
})

test('of a large request that finds no room nothing is recorded', async () => {
  const { sizes, recordMany } = accepting(9_999)
  await expect(recordMany(10_000)).rejects.toMatchObject({ code: 'unavailable' })
  expect(sizes).toEqual([])
})

const daysAgo = (days: number) => Date.now() - days * DAY_MS
const CURRENT = { occurred_at: instantOf(daysAgo(100)) }
const OLD = { occurred_at: instantOf(daysAgo(300)) }
const requestOf = (items: readonly unknown[]) => {
  const texts = items.map((item) => JSON.stringify(item))
  return {
    ...sender,
    json: texts.join(','),
    count: items.length,
    partEnds: partEndsOf(texts, charactersOf, items.map(earliestMsOf)),
  }
}

test.for([
  { item: { ref_id: 'lamp' }, isOld: false },
  { item: CURRENT, isOld: false },
  { item: OLD, isOld: true },
  { item: { metadata: CURRENT, ...OLD }, isOld: true },
  { item: { event_id: uuidV7(daysAgo(1), Buffer.alloc(10)) }, isOld: false },
  { item: { event_id: uuidV7(daysAgo(1_000), Buffer.alloc(10)).toUpperCase() }, isOld: true },
  { item: { event_id: '00000000-0000-4000-8000-000000000000', ...CURRENT }, isOld: false },
  { item: { ref_id: '"occurred_at":"2001-01' }, isOld: false },
])('a request with $item is old: $isOld', ({ item, isOld }) => {
  expect(wholeRequest(requestOf([CURRENT, item])).isOld).toBe(isOld)
})

test('only the parts of a request with old events are old', () => {
  const items = Array.from({ length: 2_500 }, (_, n) => (n === 1_200 ? OLD : CURRENT))
  expect(partsOfRequest(requestOf(items)).map(({ isOld }) => isOld)).toEqual([false, true, false])
})

test('old events are never in one call with those of other callers, or with current ones', async () => {
  const calls: unknown[][] = []
  const send = async (body: EventsBody) => {
    const { interactions } = JSON.parse(body.toString()) as { interactions: unknown[] }
    calls.push(interactions)
    return { answer: { accepted: interactions.length, duplicates: 0, duplicate_indexes: [], rejected: [] } }
  }
  const limits = { list: 'interactions', flushesMax: 4, queueEventsMax: 100, queueBytesMax: 1_000_000, deadlineMs: 60_000 }
  const { record } = createGroupCommit({ ...limits, send, partsOf: answersOf, wholeOf: answerOf, observer: SILENT_OBSERVER })
  const sent = [
    { caller: 'shop', item: { ...CURRENT, ref_id: 'shop' } },
    { caller: 'importer', item: { ...OLD, ref_id: 'importer' } },
    { caller: 'app', item: { ...CURRENT, ref_id: 'app' } },
    { caller: 'migration', item: { ...OLD, ref_id: 'migration' } },
    { caller: 'importer', item: { ...OLD, ref_id: 'importer again' } },
  ]
  await Promise.all(sent.map(({ caller, item }) => record({ ...requestOf([item]), caller, connection: {} })))
  const together = calls.map((items) => items.map((item) => (item as { ref_id: string }).ref_id))
  expect(together).toHaveLength(3)
  expect(together).toContainEqual(['migration'])
  expect(together).toContainEqual(['importer', 'importer again'])
  expect(together).toContainEqual(['shop', 'app'])
})
