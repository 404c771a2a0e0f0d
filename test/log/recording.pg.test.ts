import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { leftBehind } from '../../src/store/log/backlog.ts'
import { callOf } from '../../src/store/log/call.ts'
import { LOST } from '../../src/store/log/waiting.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { feedBatch } from '../../src/store/shoppers/shopper-profile.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { interaction, record, recordAndCount, recordBatch } from '../harness/items/events.ts'
import { until } from '../../src/main/embedded/until.ts'
import { freshPgTest as test } from '../harness/fixtures.ts'

test('rows that PostgreSQL refuses are rejected one by one, and the other rows are recorded', async ({ db }) => {
  await sql`alter table interaction add constraint no_poison check (ref_id not like 'poison%')`.execute(db)
  const rows = Array.from({ length: 100 }, (_, index) =>
    interaction({ index, refId: index % 33 === 5 ? `poison ${index}` : `p${index}` }),
  )
  const call = callOf(randomUUID(), Buffer.from('x'))
  const answer = await recordBatch(db, call, rows, [])
  expect(answer).toMatchObject({ accepted: 97, duplicateIndexes: [], isNew: true })
  expect(answer.rejected.map(({ index, code }) => [index, code])).toEqual([5, 38, 71].map((index) => [index, 'refused']))
  expect(await recordBatch(db, call, rows, [])).toEqual({ ...answer, isNew: false })
  const kept = await sql<{ index: number; item: string }>`select index, item from rejected_interaction order by index`.execute(db)
  expect(kept.rows).toEqual([5, 38, 71].map((index) => ({ index, item: JSON.stringify({ ref_id: `poison ${index}` }) })))
})

test("a missing month's partition is created on demand, and the whole batch is recorded", async ({ db }) => {
  const answer = await record(db, [
    interaction(),
    interaction({ occurredAtMs: Date.parse('2001-02-03T04:05:06Z') }),
    interaction({ occurredAtMs: Date.parse('2012-12-31T23:59:59.999Z') }),
  ])
  expect(answer.accepted).toBe(3)
})

test('ten concurrent batches create a missing month once', async ({ db }) => {
  const months = Array.from({ length: 10 }, () => record(db, [interaction({ occurredAtMs: Date.parse('2005-05-05T00:00:00Z') })]))
  expect((await Promise.all(months)).map((answer) => answer.accepted)).toEqual(Array.from({ length: 10 }, () => 1))
})

test('events before the horizon are rejected, and kept with the reason', async ({ db }) => {
  await sql`update log_horizon set horizon = '2020-01-01'`.execute(db)
  const call = callOf(randomUUID(), Buffer.from('x'))
  const rows = [interaction({ index: 0, occurredAtMs: Date.parse('2019-12-31T23:59:59.999Z') }), interaction({ index: 1 })]
  const answer = await recordBatch(db, call, rows, [])
  expect(answer).toMatchObject({
    accepted: 1,
    duplicateIndexes: [],
    rejected: [{ index: 0, code: 'too_old', field: 'occurred_at', message: 'is before the horizon 2020-01-01T00:00:00Z' }],
  })
  expect(await recordBatch(db, call, rows, [])).toEqual({ ...answer, isNew: false })
  await expect(sql`update log_horizon set horizon = '2019-01-01'`.execute(db)).rejects.toThrow('forward only')
})

test('a batch without a valid item is recorded and counted, and keeps its rejected items', async ({ db }) => {
  const item = { text: 'nul \0 and half a pair \ud800' }
  const answer = await record(db, [], [{ index: 0, code: 'invalid', field: 'text', message: 'is not valid', item }])
  expect(answer).toMatchObject({ accepted: 0, duplicateIndexes: [], rejected: [] })
  expect(await countBatch(db, answer)).toEqual({ batches: 1, events: 0 })
  const kept = await sql<{ item: string }>`select item from rejected_interaction`.execute(db)
  expect(JSON.parse(kept.rows[0]!.item)).toEqual(item)
})

test('events that are sent again, twice in a call or by concurrent calls are recorded once, whatever the calls before had', async ({
  db,
}) => {
  const ids = Array.from({ length: 60 }, () => randomUUID())
  const atMs = Date.now()
  const event = (place: number) => interaction({ eventId: ids[place]!, occurredAtMs: atMs + place, refId: `p${place}` })
  const events = (from: number, to: number) => Array.from({ length: to - from }, (_, place) => event(from + place))

  // None, some, all and again none are in the log; a call has one of its own twice; one is in a missing month and one is there.
  const results = []
  const old = interaction({ occurredAtMs: Date.parse('2003-03-03T00:00:00Z') })
  for (const rows of [
    events(0, 10),
    events(8, 14),
    events(0, 14),
    events(14, 18),
    [...events(18, 20), event(19)],
    [event(19), old],
  ]) {
    results.push(await record(db, rows))
  }
  expect(results.map(({ accepted, duplicateIndexes }) => [accepted, duplicateIndexes])).toEqual([
    [10, []],
    [4, [0, 1]],
    [0, Array.from({ length: 14 }, (_, index) => index)],
    [4, []],
    [2, [2]],
    [1, [0]],
  ])

  const concurrent = await Promise.all(Array.from({ length: 12 }, (_, call) => record(db, events(20 + call * 2, 38 + call * 2))))
  expect(concurrent.map(({ accepted, duplicateIndexes }) => accepted + duplicateIndexes.length)).toEqual(concurrent.map(() => 18))
  expect(concurrent.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(40)
  const { rows } = await sql<{ events: number }>`select count(*)::int as events from interaction`.execute(db)
  expect(rows[0]!.events).toBe(61)
})

test('the same invocation id with another body is another batch', async ({ db }) => {
  const id = randomUUID()
  await recordBatch(db, callOf(id, Buffer.from('one')), [interaction()], [])
  const second = await recordBatch(db, callOf(id, Buffer.from('two')), [interaction()], [])
  expect(second).toMatchObject({ accepted: 1, duplicateIndexes: [] })
})

test('counting an unknown batch finds it lost', async ({ db }) => {
  expect(await countBatch(db, { batchId: '404' })).toBe(LOST)
})

test('counting one batch also counts the batches that wait', async ({ db }) => {
  const [first, second, third] = [
    await record(db, [interaction()]),
    await record(db, [interaction()]),
    await record(db, [interaction()]),
  ]
  expect(await countBatch(db, second)).toEqual({ batches: 3, events: 3 })
  for (const done of [first, third]) expect(await countBatch(db, done)).toEqual({ batches: 0, events: 0 })
  expect((await verify(db)).drift).toEqual([])
})

test('a group takes batches of the release before, and leaves kinds that only the release after this one knows', async ({
  db,
}) => {
  const [own, earlier, later] = [
    await record(db, [interaction()]),
    await record(db, [interaction()]),
    await record(db, [interaction()]),
  ]
  await sql`update interaction_batch set kind = null where batch_id = ${earlier.batchId}`.execute(db)
  await sql`update interaction_batch set kind = 'review' where batch_id = ${later.batchId}`.execute(db)
  expect(await countBatch(db, own)).toEqual({ batches: 2, events: 2 })
  expect(await feedBatch(db, own)).toEqual({ batches: 2, events: 2 })
})

test('only batches older than the given age are reported as left behind', async ({ db }) => {
  const old = await record(db, [interaction()])
  await record(db, [interaction()])
  await recordAndCount(db, [interaction()])
  await sql`update interaction_batch set received_at = now() - interval '6 minutes', scored_at = null, fed_at = null where batch_id = ${old.batchId}`.execute(
    db,
  )
  expect(await leftBehind(db, 5)).toEqual([{ batchId: old.batchId, from: old.from, to: old.to, uncounted: true, unfed: true }])
})

test('a connection that breaks inside a transaction fails the transaction, not the process', async ({ db }) => {
  const broken = db.transaction().execute(async (tx) => {
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx)
    await sql`select pg_terminate_backend(${rows[0]!.pid})`.execute(db)
    // The connection learns that it is closed while it runs no statement: from PostgreSQL's message, or from a reset.
    await until(
      async () =>
        (await sql<{ n: number }>`select 1 from pg_stat_activity where pid = ${rows[0]!.pid}`.execute(db)).rows.length === 0,
      10_000,
    )
    await sql`select 1`.execute(tx)
  })
  await expect(broken).rejects.toThrow(/terminat|closed|queryable|ECONNRESET/i)
  expect(await record(db, [interaction()])).toMatchObject({ accepted: 1 })
})

test('a bad row is rejected, and a row of a missing month in the same batch is recorded', async ({ db }) => {
  await sql`alter table interaction add constraint no_poison check (ref_id <> 'poison')`.execute(db)
  const rows = [
    interaction({ refId: 'poison', occurredAtMs: Date.parse('2003-03-03T00:00:00Z') }),
    interaction({ occurredAtMs: Date.parse('2004-04-04T00:00:00Z') }),
  ]
  expect(await record(db, rows)).toMatchObject({ accepted: 1, duplicateIndexes: [], rejected: [{ index: 0, code: 'refused' }] })
})

test('a batch that cannot be counted blocks no other batch', async ({ db }) => {
  await sql`alter table product_hour add constraint no_poison check (product_id <> 'poison')`.execute(db)
  const bad = await record(db, [interaction({ refId: 'poison' })])
  const good = await record(db, [interaction({ refId: 'good' })])
  expect(await countBatch(db, good)).toMatchObject({ batches: 1 })
  await expect(countBatch(db, bad)).rejects.toThrow('no_poison')
})
