import { randomUUID } from 'node:crypto'
import type { ObjectContext } from '@restatedev/restate-sdk'
import { sql } from 'kysely'
import { Registry } from 'prom-client'
import { expect } from 'vitest'
import type { Deps } from '../../services/handler/deps.ts'
import { WATCH_TIMELINE } from '../../services/tasks/watch-timeline.ts'
import { timelineMetrics } from '../../src/main/metrics/timeline.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { withSessionLock } from '../../src/store/database/locks.ts'
import { callOf, recordedBodyOf } from '../../src/store/log/call.ts'
import { dropTraces, jumpBatchIds, recordedAmong, traceCall } from '../../src/store/log/recorded-call.ts'
import { acknowledgeTimeline, type LostFound, noteComparison, noticeChange, timelineState } from '../../src/store/log/timeline.ts'
import { valueOf } from '../harness/clients/prometheus.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { interaction, recordBatch } from '../harness/items/events.ts'
import { runCommandProcess } from '../harness/programs/command-process.ts'

const FOUND = {
  calls: 7,
  from: new Date('2026-03-01T12:00:00Z'),
  to: new Date('2026-03-01T12:00:05Z'),
  byHandler: { 'Access.Change': 7 },
}

async function metrics(db: Database) {
  const registry = new Registry()
  timelineMetrics(registry, () => timelineState(db))
  const text = await registry.metrics()
  return [valueOf(text, 'footfall_timeline_changed'), valueOf(text, 'footfall_lost_calls')]
}

test('another timeline is changed until it is acknowledged, and what was lost is kept so long', async ({ db }) => {
  await noticeChange(db, null)
  expect(await timelineState(db)).toMatchObject({ isChanged: false, noticedSeconds: null, found: undefined })
  expect(await metrics(db)).toEqual([0, 0])
  await sql`update database_timeline set timeline = timeline + 1`.execute(db)
  expect(await timelineState(db)).toMatchObject({ isChanged: true, noticedSeconds: null })
  await noticeChange(db, null)
  await noteComparison(db, FOUND)
  expect(await timelineState(db)).toMatchObject({ isChanged: true, noticedSeconds: expect.any(Number), found: FOUND })
  expect(await metrics(db)).toEqual([1, 7])
  await acknowledgeTimeline(db)
  expect(await timelineState(db)).toMatchObject({ isChanged: false, noticedSeconds: null, found: undefined })
})

test('a PostgreSQL whose log ends earlier than it did has changed, on the same timeline too', async ({ db }) => {
  const end = await noticeChange(db, null)
  await noticeChange(db, end)
  expect((await timelineState(db)).isChanged).toBe(false)
  await noticeChange(db, { ...end, timeline: end.timeline + 1, lsn: 'FFFF/0' })
  expect((await timelineState(db)).isChanged).toBe(false)
  await noticeChange(db, { ...end, lsn: 'FFFF/0' })
  expect((await timelineState(db)).isChanged).toBe(true)
  await acknowledgeTimeline(db)
})

test('the task keeps the number of lost calls after Restate has forgotten them', async ({ db }) => {
  await sql`update database_timeline set timeline = timeline + 1`.execute(db)
  let lost: LostFound = FOUND
  const deps = { background: db, findLostCalls: async () => lost } as unknown as Deps
  const ctx = { get: async () => null, set: () => undefined, run: (_: string, action: () => unknown) => action() }
  const look = () => WATCH_TIMELINE.run(deps, ctx as unknown as ObjectContext, 0)
  await look()
  lost = { calls: 0, from: null, to: null, byHandler: {} }
  await look()
  expect((await timelineState(db)).found).toMatchObject(FOUND)
  lost = { ...FOUND, calls: 8 }
  await look()
  expect((await timelineState(db)).found).toMatchObject({ calls: 8 })
  await acknowledgeTimeline(db)
})

test('a call is proved by its batch or by its trace, and a trace is forgotten after days', async ({ db }) => {
  const [batch, trace, none] = [randomUUID(), randomUUID(), randomUUID()].map((id) => `inv_${id}`) as [string, string, string]
  await recordBatch(db, callOf(batch, Buffer.from('a')), [interaction()], [])
  expect(await traceCall(db, callOf(trace, Buffer.from('a')))).toBe(true)
  expect(await traceCall(db, callOf(trace, Buffer.from('a')))).toBe(false)
  expect(await recordedAmong(db, [batch, trace, none])).toEqual(new Set([batch, trace]))
  for (const id of [batch, trace]) {
    expect(await recordedBodyOf(db, callOf(id, Buffer.from('a')))).toBe('same')
    expect(await recordedBodyOf(db, callOf(id, Buffer.from('b')))).toBe('other')
  }
  expect(await recordedBodyOf(db, callOf(none, Buffer.from('a')))).toBe('nothing')
  await dropTraces(db)
  expect(await recordedAmong(db, [trace])).toEqual(new Set([trace]))
  await sql`update recorded_call set recorded_at = now() - interval '9 days'`.execute(db)
  await dropTraces(db)
  expect(await recordedAmong(db, [batch, trace])).toEqual(new Set([batch]))
})

test('after a jump, batches have ids that no lost batch had', async ({ db }) => {
  const record = () => recordBatch(db, callOf(`inv_${randomUUID()}`, Buffer.from('a')), [interaction()], [])
  const before = await record()
  await jumpBatchIds(db)
  const after = await record()
  expect(Number(after.batchId) - Number(before.batchId)).toBeGreaterThan(1_000_000)
})

test('a repair does not begin while another one works', async ({ database, db }) => {
  const gone = 'http://127.0.0.1:1'
  const environment = { DATABASE_URL: database.url, RESTATE_INGRESS_URL: gone, RESTATE_ADMIN_URL: gone }
  const second = await db
    .connection()
    .execute((session) => withSessionLock(session, 'repair', () => runCommandProcess(['reconcile', '--repair'], environment)))
  expect(second).toEqual({ code: 1, output: expect.stringContaining('Another reconcile --repair works on this database') })
})
