import type { FastifyRequest } from 'fastify'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { earliestMsOf, partEndsOf } from '../../src/admission/item-parts.ts'
import { itemsOfRequest } from '../../src/admission/request-items.ts'
import { writeItems } from '../../src/admission/write-items.ts'
import { weigh } from '../../src/gateway/http/body-weight.ts'
import { type Forwarding, forwardedItems } from '../../src/gateway/recording/forwarded-items.ts'

const KEEP = { ipAddress: 'keep', userAgent: 'keep' } as const
const EVENT = { event_id: '0190a6c1-8a1e-7000-8000-000000000000', occurred_at: '2026-03-01T12:00:00Z', ref_id: 'x'.repeat(100) }
const MANY = Array.from({ length: 50 }, () => EVENT)

function requestOf(text: string, headers: Record<string, string> = {}): FastifyRequest {
  const body = Buffer.from(text)
  const request = { body, headers, apiKey: null, routeOptions: { config: { list: 'interactions' } } } as unknown as FastifyRequest
  weigh(request, body)
  return request
}

interface Options extends Partial<Forwarding> {
  headers?: Record<string, string>
}

function forwarded(text: string, { headers = {}, ...options }: Options = {}) {
  const request = requestOf(text, headers)
  const items = itemsOfRequest(request.body as Buffer, 'interactions')
  return forwardedItems(request, items, { privacy: KEEP, needsIds: true, ...options })
}
const listOf = (items: readonly unknown[]) => JSON.stringify({ interactions: items })

test('items that stay as they are are the bytes between the brackets of the body, whatever is in them', () => {
  const item = fc.record({ event_id: fc.string({ minLength: 1 }), metadata: fc.jsonValue(), occurred_at: fc.option(fc.string()) })
  const items = fc.array(item, { minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(items, fc.constantFrom(undefined, 1, '\t'), (some, blanks) => {
      const text = JSON.stringify({ interactions: [...some, ...MANY] }, undefined, blanks)
      const { json, count, partEnds } = forwarded(text)!
      const written = writeItems([...some, ...MANY], { privacy: KEEP, idsAtMs: 0 })
      expect(JSON.parse(`[${json.toString()}]`)).toEqual(JSON.parse(`[${written.texts.join(',')}]`))
      expect(count).toBe(written.texts.length)
      const ends = partEndsOf(written.texts, () => 0, written.earliest)
      expect(partEnds).toEqual([{ ...ends[0]!, length: json.length }])
      expect(ends).toHaveLength(1)
    }),
  )
})

test.for<[what: string, text: string, options?: Options]>([
  ['a short list', listOf([EVENT])],
  ['an event without an id', listOf([...MANY, { ...EVENT, event_id: null }])],
  ['an item that is no object', listOf([...MANY, 7])],
  ['a number that cannot be written', listOf([...MANY, EVENT]).replace(/}\]}$/, ',"metadata":{"n":1e999}}]}')],
  [
    'a field of a device that is not stored',
    listOf([...MANY, { ...EVENT, ip_address: '203.0.113.7' }]),
    { privacy: { ...KEEP, ipAddress: 'drop' as const } },
  ],
  ['the list twice', listOf(MANY).replace(/}$/, `,"interactions":${JSON.stringify(MANY)}}`)],
  ['the list twice, once with an escape', listOf(MANY).replace(/}$/, `,"\\u0069nteractions":${JSON.stringify(MANY)}}`)],
  ['more than 1,000 items', listOf(Array.from({ length: 1_001 }, () => ({ event_id: 'x' })))],
  ['a request with a key', listOf(MANY), { headers: { 'idempotency-key': 'k' } }],
])('%s is written anew', ([, text, options]) => {
  expect(forwarded(text, options)).toBeUndefined()
})

test('items that need no id stay as they are without one', () => {
  const items = MANY.map(({ event_id: _id, ...rest }) => rest)
  expect(forwarded(listOf(items))).toBeUndefined()
  expect(forwarded(listOf(items), { needsIds: false })).toMatchObject({ count: MANY.length })
})

test('the earliest time of an item is the month of its time, or without one the time of its id', () => {
  expect(earliestMsOf({ occurred_at: '2026-03-09T12:00:00Z' })).toBe(Date.UTC(2026, 2))
  expect(earliestMsOf({ event_id: '0190A6C1-8A1E-7000-8000-000000000000' })).toBe(0x0190a6c18a1e)
  expect(earliestMsOf({ occurred_at: '2026-02-09T12:00:00Z', event_id: '0190a6c1-8a1e-7000-8000-000000000000' })).toBe(
    Date.UTC(2026, 1),
  )
  for (const item of [null, 7, {}, { occurred_at: 7, event_id: null }, { occurred_at: 'never', event_id: 'mine' }]) {
    expect(earliestMsOf(item)).toBe(Infinity)
  }
})
