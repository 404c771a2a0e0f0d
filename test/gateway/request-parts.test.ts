import fc from 'fast-check'
import { expect, test } from 'vitest'
import { charactersOf, partEndsOf } from '../../src/admission/item-parts.ts'
import type { CreateInteractionResponse } from '../../src/contract/interaction.ts'
import { createGroupCommit } from '../../src/gateway/recording/group-commit.ts'
import { partsOfRequest } from '../../src/gateway/recording/request-parts.ts'
import { answerOf, answersOf } from '../../src/gateway/recording/senders.ts'
import type { EventsBody } from '../../src/ingress/recorder.ts'
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
      const partEnds = partEndsOf(texts, isBuffer ? bytesOf : charactersOf)
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
    return record({ ...sender, json: texts.join(','), count, partEnds: partEndsOf(texts, charactersOf) })
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
