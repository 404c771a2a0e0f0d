import { expect, test } from 'vitest'
import { textOf } from '../../src/page/template/html.ts'
import { type OperationsPage, operationsView } from '../../src/page/views/operations.ts'
import { wordsOf } from '../harness/items/page-words.ts'

const WAITING = { batches: 0, events: 0, oldest_seconds: null }
const PAGE: OperationsPage = {
  nowMs: Date.parse('2026-03-01T12:00:30Z'),
  done: undefined,
  ready: { status: 'ok', details: { paused_tasks: ['refresh-reports'] } },
  about: {
    data: {
      ...{ version: '0.1.0', schema: 40, restate_ui_url: 'http://127.0.0.1:9070/ui' },
      caller: { name: null, scopes: ['ingest', 'read', 'manage'], seller_id: null },
    },
  },
  backlog: {
    data: {
      ...{ waiting_batches: 1, waiting_events: 41, oldest_seconds: 2.5, feeding: WAITING },
      counting: { batches: 1, events: 41, oldest_seconds: 2.5 },
    },
  },
  latest: {
    data: { id: 'v', finished_at: '2026-03-01T12:00:00.000Z', events: 50, analytics_events: 3, cells: 900, drift_count: 0 },
  },
  verifications: { data: [] },
  invocations: {
    data: [
      {
        ...{ id: 'inv_1', state: 'paused', target: 'Task/refresh-reports/Run', attempts: 40 },
        ...{ since: '2026-03-01T11:00:30.000Z', error: 'the <disk> is full' },
      },
    ],
    meta: { paused: 1, retrying: 2 },
  },
  schedules: {
    data: [
      {
        ...{ task: 'sweep', running: true, every_ms: 60_000, next_at: '2026-03-01T12:01:00.000Z' },
        last_run: {
          ...{ slot: '2026-03-01T12:00:00.000Z', started_at: '2026-03-01T12:00:00.000Z', duration_ms: null },
          ...{ outcome: 'failing', attempts: 3, error: 'no table' },
        },
      },
    ],
  },
  kafka: { error: { code: 'not_found', message: 'Kafka is not read here' } },
  archives: { data: [] },
  erasures: { data: [] },
  exports: { data: [] },
  audit: { data: [] },
}

test('an operator sees what waits, what fails, and where Restate shows it', () => {
  const text = textOf(operationsView(PAGE))
  expect(wordsOf(text)).toContain('Ready yes Wait to be counted 41 oldest 2.5 s Wait to be fed 0 Paused invocations 1')
  expect(wordsOf(text)).toContain('1 paused, 2 tried again')
  expect(text).toContain('<a href="http://127.0.0.1:9070/ui/invocations/inv_1"><code>inv_1</code></a>')
  expect(wordsOf(text)).toContain('the &lt;disk> is full')
  expect(wordsOf(text)).toContain('sweep failing 30 s ago no table – none 60 2026-03-01 12:01 UTC')
  expect(wordsOf(text)).toContain('Paused tasks refresh-reports')
  expect(wordsOf(text)).toContain('proved 30 s ago : 0 of 900 cells differ from the log of 50 events and 3 operations.')
})

test('a part that does not answer is named, and the others are ready', () => {
  const error = {
    ...{ code: 'unavailable' as const, message: 'not ready: endpoint' },
    details: { postgresql: true, restate: true, endpoint: false, registration: true, paused_tasks: null },
  }
  const text = wordsOf(textOf(operationsView({ ...PAGE, ready: { error } })))
  expect(text).toContain('Ready no not ready: endpoint')
  expect(text).toContain('PostgreSQL ready Restate ready Service endpoint does not answer Registered services ready')
})

test('what is not known of a part is not said', () => {
  const error = { code: 'rate_limited' as const, message: 'at most 10 requests a minute are taken' }
  const text = wordsOf(textOf(operationsView({ ...PAGE, ready: { error } })))
  expect(text).toContain('PostgreSQL – none Restate – none')
  expect(text).toContain('Paused tasks not known')
})

test('a verification is started only when none is open, and an open one can be cancelled', () => {
  const run = { id: 'v', actor: 'local', requested_by: null, requested_at: '2026-03-01T12:00:00.000Z' }
  const open = { ...run, status: 'running' as const, progress: { done: 4, total: 16, step: 'shopper_product' } }
  const text = textOf(operationsView({ ...PAGE, verifications: { data: [open] } }))
  expect(text).not.toContain('value="verify"')
  expect(text).toContain('value="cancel"')
  expect(wordsOf(text)).toContain('local shopper_product running 4 of 16')
  expect(textOf(operationsView(PAGE))).toContain('value="verify"')
})

test('erasures have the rows that their certificates count', () => {
  const run = { id: 'e', status: 'completed', step: 'certificate', actor: 'local', requested_by: 'privacy desk' } as const
  const erased = {
    ...{ ...run, requested_at: '2026-03-01T12:00:00.000Z', finished_at: '2026-03-01T12:00:10.000Z' },
    certificate: { erased_at: '2026-03-01T12:00:00.000Z', tables: { interaction: 1_500, shopper_product: 3 }, sha256: '' },
  }
  const open = { ...run, status: 'running', step: 'links', requested_by: null, requested_at: '2026-03-01T12:00:20.000Z' } as const
  const text = wordsOf(textOf(operationsView({ ...PAGE, erasures: { data: [open, erased] } })))
  expect(text).toContain('local running links – none 10 s ago – none local for privacy desk completed 1 503 30 s ago 20 s ago')
  expect(wordsOf(textOf(operationsView(PAGE)))).toContain(
    'No person was erased yet. ./footfall erase account:ID erases a person.',
  )
})

test('archived months have their place, and exports have no person', () => {
  const month = { month: '2026-01', rows: 1_500, bytes: 90_000, parts: 1, place: '/srv/archive', restored_at: null }
  const at = '2026-03-01T12:00:10.000Z'
  const archived = { ...month, table: 'interaction', archived_at: at }
  const restored = { ...month, table: 'search', archived_at: at, restored_at: '2026-03-01T12:00:20.000Z' }
  const run = { actor: 'desk', requested_by: 'ada', started_at: at }
  const sent = { ...run, id: 'e1', status: 'completed', rows: 41, finished_at: '2026-03-01T12:00:11.000Z' } as const
  const cut = { ...run, id: 'e2', requested_by: null, status: 'cut_off', rows: 7 } as const
  const shown = { ...PAGE, archives: { data: [archived, restored] }, exports: { data: [sent, cut] } }
  const text = wordsOf(textOf(operationsView(shown)))
  expect(text).toContain('2026-01 interaction 1 500 20 s ago /srv/archive 2026-01 restored search 1 500 20 s ago /srv/archive')
  expect(text).toContain('desk for ada completed 41 20 s ago desk cut off 7 20 s ago')
  const none = wordsOf(textOf(operationsView(PAGE)))
  expect(none).toContain('No month of the log is archived yet. With ARCHIVE_LOG=on each month')
  expect(none).toContain('was exported yet. ./footfall export account:ID FILE writes')
})

test('Kafka has a panel where it is read, with what is not stored yet and the topics that do not exist', () => {
  const partition = { topic: 'interactions', partition: 3, next: 50, first: 0, end: 1_591, behind: 1_541 }
  const never = { topic: 'interactions', partition: 4, next: null, first: 0, end: 7, behind: 7, moved_at: null }
  const data = [{ ...partition, moved_at: '2026-03-01T12:00:20.000Z' }, never]
  const kafka = { data, meta: { missing_topics: ['product.deleted'] } }
  const text = wordsOf(textOf(operationsView({ ...PAGE, kafka })))
  expect(text).toContain('Kafka 1 548 not read yet')
  expect(text).toContain('interactions/3 1 541 50 1 591 10 s ago interactions/4 7 – none 7 – none')
  expect(text).toContain('missing Topics that do not exist: product.deleted.')
  expect(wordsOf(textOf(operationsView(PAGE)))).not.toContain('Kafka')
  const away = { error: { code: 'unavailable' as const, message: 'the consumer of Kafka cannot say' } }
  expect(wordsOf(textOf(operationsView({ ...PAGE, kafka: away })))).toContain('Kafka The consumer of Kafka cannot say.')
})
