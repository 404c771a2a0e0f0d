import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { RejectedInteraction } from '../../src/contract/rejected.ts'
import { callOf } from '../../src/store/log/call.ts'
import {
  countOpenRejected,
  openRejected,
  rejectedInteraction,
  rejectedPage,
  rejectedPositionOf,
} from '../../src/store/log/rejected-item.ts'
import { insertReplayOf, findRejectedItem } from '../../src/store/log/rejected-replay.ts'
import { clear } from '../harness/servers/database.ts'
import { interaction, record, recordBatch } from '../harness/items/events.ts'
import type { NewRejection } from '../../src/admission/rows.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import type { Database } from '../../src/store/database/connection.ts'

test.beforeEach(({ db }) => clear(db))

const rejection = (index: number, item: unknown = { n: index }): NewRejection => ({
  index,
  code: 'invalid',
  field: 'ref_id',
  message: 'is not valid',
  item,
})

async function pages(db: Database, limit: number, replayed: boolean): Promise<RejectedInteraction[][]> {
  const all: RejectedInteraction[][] = []
  for (let cursor: string | null | undefined; cursor !== null;) {
    const after = cursor === undefined ? undefined : rejectedPositionOf(cursor)
    const { data, meta } = await rejectedPage(db, { limit, after, replayed })
    all.push(data)
    cursor = meta.next_cursor
  }
  return all
}

const call = () => callOf(randomUUID(), Buffer.from(''))

test('pages of any size make the same list: newest first, each rejected interaction once', async ({ db }) => {
  const batches = []
  for (const count of [3, 1, 4]) {
    const refused = Array.from({ length: count }, (_each, index) => rejection(index))
    batches.push((await record(db, [], refused)).batchId)
  }
  const [first, second, third] = batches as [string, string, string]
  const ids = [`${third}.3`, `${third}.2`, `${third}.1`, `${third}.0`, `${second}.0`, `${first}.2`, `${first}.1`, `${first}.0`]
  for (const limit of [1, 2, 3, 4, 7, 8, 100]) {
    const list = await pages(db, limit, false)
    expect(list.flat().map((one) => one.id)).toEqual(ids)
    expect(list).toHaveLength(Math.ceil(ids.length / limit))
  }
  expect(await countOpenRejected(db)).toBe(ids.length)
  expect((await openRejected(db, 100)).map((key) => `${key.batch_id}.${key.index}`)).toEqual(ids.toReversed())
  expect(await openRejected(db, 2)).toHaveLength(2)
  expect(await pages(db, 20, true)).toEqual(await pages(db, 20, false))
})

test('an empty list is one empty page', async ({ db }) => {
  expect(await rejectedPage(db, { limit: 20, after: undefined, replayed: false })).toEqual({
    data: [],
    meta: { next_cursor: null },
  })
})

test('a page ends before its items exceed 16 MiB, but has at least one item', async ({ db }) => {
  await record(
    db,
    [],
    [0, 1, 2, 3].map((index) => rejection(index)),
  )
  // The release before kept items of any size.
  await sql`update rejected_interaction set item = repeat('x', (9 + 9 * (index / 3)) * 1024 * 1024) where index > 0`.execute(db)
  const list = await pages(db, 100, false)
  expect(list.map((page) => page.map((one) => one.index))).toEqual([[3], [2], [1, 0]])
})

test('an item is kept as sent, even if jsonb refuses it; text that is not JSON is shown as text', async ({ db }) => {
  const items = [7, 'text', null, { text: 'nul \0 and half a pair \ud800' }, JSON.parse('{"__proto__": 1}') as unknown]
  const { batchId } = await record(
    db,
    [],
    items.map((item, index) => rejection(index, item)),
  )
  const { data } = await rejectedPage(db, { limit: 20, after: undefined, replayed: false })
  expect(data.map((one) => JSON.stringify(one.item)).toReversed()).toEqual(items.map((item) => JSON.stringify(item)))
  await sql`update rejected_interaction set item = '{broken' where index = 0`.execute(db)
  expect(await rejectedInteraction(db, { batch_id: batchId, index: 0 })).toEqual({
    id: `${batchId}.0`,
    batch_id: batchId,
    index: 0,
    received_at: expect.stringMatching(/Z$/),
    code: 'invalid',
    field: 'ref_id',
    message: 'is not valid',
    item: '{broken',
    cut_from_bytes: null,
    replayed_at: null,
  })
  expect(await rejectedInteraction(db, { batch_id: batchId, index: 99 })).toBeUndefined()
})

test('an event before the horizon is kept in the form in which it can be sent again', async ({ db }) => {
  await sql`update log_horizon set horizon = '2010-01-01'`.execute(db)
  const sent = interaction({
    occurredAtMs: Date.parse('2009-12-31T23:59:59.999Z'),
    accountNumber: 5,
    ipAddress: '2001:db8::1',
    metadata: { a: null },
  })
  const { batchId } = await record(db, [sent, interaction({ occurredAtMs: 1e12, refType: 'Category', accountId: null })])
  const { item } = (await findRejectedItem(db, { batch_id: batchId, index: 0 }))!
  expect(item).toEqual({
    event_id: sent.eventId,
    occurred_at: '2009-12-31T23:59:59.999+00:00',
    account_id: 'a',
    account_number: 5,
    event_type: 'view',
    ref_type: 'Product',
    ref_id: 'p',
    ip_address: '2001:db8::1',
    metadata: { a: null },
  })
  expect((await findRejectedItem(db, { batch_id: batchId, index: 1 }))!.item).toMatchObject({ ref_type: 'Category' })
})

test('of concurrent replays of an interaction one records it; the others are told the outcome', async ({ db }) => {
  const { batchId } = await record(db, [], [rejection(0), rejection(1)])
  const insert = (index: number) => insertReplayOf({ batch_id: batchId, index, actor: 'ada' })
  const accepted = await Promise.allSettled(
    Array.from({ length: 8 }, () => recordBatch(db, call(), [interaction()], [], insert(0))),
  )
  const again = await Promise.allSettled(Array.from({ length: 8 }, () => recordBatch(db, call(), [], [rejection(0)], insert(1))))
  for (const [answers, became] of [
    [accepted, /\.0 was replayed already, at .*Z: accepted$/] as const,
    [again, /again as \d+\.0$/] as const,
  ]) {
    expect(answers.filter((one) => one.status === 'fulfilled')).toHaveLength(1)
    for (const one of answers.filter((each) => each.status === 'rejected')) {
      expect(one.reason).toMatchObject({ name: 'DecidedError', code: 'conflict' })
      expect((one.reason as Error).message).toMatch(became)
    }
  }
  const { rows } = await sql<{ n: number }>`select count(*)::int as n from interaction`.execute(db)
  expect(rows[0]!.n).toBe(1)
  expect(await openRejected(db, 10)).toHaveLength(1)
  expect(await sql`select from interaction_batch`.execute(db).then((answer) => answer.rows)).toHaveLength(3)
  const entries = await sql`
    select actor, resource_id from audit_entry where action = 'rejected.replay' order by resource_id`.execute(db)
  expect(entries.rows).toEqual([0, 1].map((index) => ({ actor: 'ada', resource_id: `${batchId}.${index}` })))
})

test('a repeated replay answers like the first, whether the first has ended or still runs', async ({ db }) => {
  const { batchId } = await record(db, [], [rejection(0)])
  const insert = insertReplayOf({ batch_id: batchId, index: 0, actor: 'ada' })
  const [own, row] = [call(), interaction()]
  const replay = () => recordBatch(db, own, [row], [], insert)
  const answers = await Promise.all([replay(), replay(), replay()])
  answers.push(await replay())
  for (const { isNew: _isNew, ...answer } of answers) {
    expect(answer).toMatchObject({ batchId: answers[0].batchId, accepted: 1, duplicateIndexes: [], rejected: [] })
  }
  expect(answers.filter((answer) => answer.isNew)).toHaveLength(1)
  await expect(recordBatch(db, call(), [row], [], insert)).rejects.toThrow('accepted')
})

test('an event that is deleted while its replay waits for it is not replayed', async ({ db }) => {
  const { batchId } = await record(db, [], [rejection(0)])
  const deletion = await db.startTransaction().execute()
  await sql`delete from rejected_interaction`.execute(deletion)
  const replay = recordBatch(db, call(), [interaction()], [], insertReplayOf({ batch_id: batchId, index: 0, actor: 'ada' }))
  const [ended] = await Promise.allSettled([replay, deletion.commit().execute()])
  expect(ended).toMatchObject({ reason: { code: 'not_found', message: `there is no rejected event ${batchId}.0` } })
  expect((await sql`select from interaction`.execute(db)).rows).toEqual([])
})

test('a replayed event that PostgreSQL refuses again, in a missing month, is marked once', async ({ db }) => {
  await sql`alter table interaction add constraint no_poison check (ref_id <> 'poison')`.execute(db)
  const { batchId } = await record(db, [], [rejection(0)])
  const row = interaction({ refId: 'poison', occurredAtMs: Date.parse('2011-01-01T00:00:00Z') })
  const own = call()
  const insert = insertReplayOf({ batch_id: batchId, index: 0, actor: 'ada' })
  const answer = await recordBatch(db, own, [row], [], insert)
  expect(answer).toMatchObject({ accepted: 0, rejected: [{ index: 0, code: 'refused' }] })
  expect(await recordBatch(db, own, [row], [], insert)).toEqual({ ...answer, isNew: false })
  expect(await openRejected(db, 10)).toEqual([{ batch_id: answer.batchId, index: 0 }])
  expect((await pages(db, 1, true)).flat().map(({ id, replayed_at }) => [id, replayed_at === null])).toEqual([
    [`${answer.batchId}.0`, true],
    [`${batchId}.0`, false],
  ])
  await sql`alter table interaction drop constraint no_poison`.execute(db)
})
