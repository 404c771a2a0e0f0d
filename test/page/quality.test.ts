import { expect, test } from 'vitest'
import type { IngestHour } from '../../src/contract/ingest.ts'
import type { RejectedInteraction } from '../../src/contract/rejected.ts'
import { correctionOf } from '../../src/gateway/views/quality.ts'
import { textOf } from '../../src/page/template/html.ts'
import { type QualityPage, qualityView } from '../../src/page/views/quality.ts'
import { wordsOf } from '../harness/items/page-words.ts'

const NOW_MS = Date.parse('2026-03-01T13:30:00Z')
const hour = (at: string, accepted: number, rejected: number): IngestHour => ({
  hour: at,
  kinds: [
    { kind: 'interaction', accepted, duplicates: 1, rejected },
    { kind: 'search', accepted: 0, duplicates: 0, rejected: 0 },
  ],
})
const EVENT: RejectedInteraction = {
  ...{ id: '12.0', batch_id: '12', index: 0, received_at: '2026-03-01T13:00:00.000Z', code: 'invalid', field: 'ref_id' },
  ...{ message: 'is missing', item: { event_type: '<view>', ref_type: 'Product' }, cut_from_bytes: null, replayed_at: null },
}
const PAGE: QualityPage = {
  hours: '24',
  cursor: undefined,
  done: undefined,
  nowMs: NOW_MS,
  ingest: {
    data: [hour('2026-03-01T12:00:00.000Z', 90, 3), hour('2026-03-01T13:00:00.000Z', 5, 0)],
    meta: { from: '2026-03-01T12:00:00.000Z', to: '2026-03-01T13:30:00.000Z', counted_since: '2026-02-01T00:00:00.000Z' },
  },
  codes: {
    data: [
      { code: 'invalid', kind: 'interaction', count: 3, replayable: 3, newest_at: '2026-03-01T13:00:00.000Z' },
      { code: 'invalid', kind: 'webhook', count: 1, replayable: 0, newest_at: '2026-03-01T12:00:00.000Z' },
    ],
  },
  rejected: { data: [EVENT], meta: { next_cursor: null } },
  runs: { data: [] },
  chosen: undefined,
}

test('what came in is added up over the window, and by kind', () => {
  const text = textOf(qualityView(PAGE))
  expect(wordsOf(text)).toContain('Accepted 95 Duplicates 2 sent again, counted once Rejected 3 3.00 % of all')
  expect(wordsOf(text)).toContain('Interactions 95 2 3 Searches 0 0 0')
  expect(text).toContain('<time datetime="2026-03-01T12:00:00.000Z" data-form="instant">')
})

test('a code is replayed only where it has events that can be', () => {
  const text = textOf(qualityView(PAGE))
  expect(text.match(/name="action" value="replay_code"/g)).toHaveLength(1)
  expect(wordsOf(text)).toContain('invalid webhook 1 1 h ago – none')
})

test('a rejected event is shown as it was sent, beside a form for its wrong field', () => {
  const text = textOf(qualityView({ ...PAGE, hours: '72', chosen: { data: EVENT } }))
  expect(text).toContain('&quot;event_type&quot;: &quot;&lt;view>&quot;')
  expect(text).toContain('<input type="hidden" name="field" value="ref_id"/>')
  expect(text).toMatch(/<span>ref_id<\/span><input type="text" name="value"/)
  expect(text).toContain('href="/quality?hours=72"')
})

test('a field that was no text is corrected as JSON, and stays a number', () => {
  const event = { ...EVENT, field: 'quantity', item: { quantity: -2 } }
  const text = textOf(qualityView({ ...PAGE, chosen: { data: event } }))
  expect(text).toContain('<input type="hidden" name="is_json" value="true"/>')
  expect(text).toMatch(/name="value" value="-2"/)
  expect(correctionOf({ field: 'quantity', value: '2', is_json: 'true' })).toEqual({ quantity: 2 })
  expect(correctionOf({ field: 'ref_id', value: '2' })).toEqual({ ref_id: '2' })
  expect(correctionOf({ field: 'quantity', value: 'two', is_json: 'true' })).toBeUndefined()
})

test('an event that cannot be sent again has no form, and a part of a field is corrected by the whole field', () => {
  const repair = (changes: Partial<RejectedInteraction>) =>
    textOf(qualityView({ ...PAGE, codes: { data: [] }, chosen: { data: { ...EVENT, ...changes } } }))
  expect(repair({ cut_from_bytes: 40_000 })).not.toContain('<form class="action"')
  expect(wordsOf(repair({ cut_from_bytes: 40_000 }))).toContain('It had 40000 bytes.')
  expect(repair({ replayed_at: '2026-03-01T13:10:00.000Z' })).not.toContain('<form class="action"')
  expect(repair({ field: 'items.0.quantity' })).not.toContain('name="value"')
})
