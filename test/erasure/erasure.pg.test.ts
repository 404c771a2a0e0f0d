import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { uuidV7 } from '../../src/contract/fields/event-id.ts'
import { auditEntries } from '../../src/store/audit/audit-entry.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { certifiedText } from '../../src/store/erasure/certificate.ts'
import { listExports, noteExport } from '../../src/store/erasure/export-list.ts'
import { eraseNextPart } from '../../src/store/erasure/next-part.ts'
import { findErasure, listErasures } from '../../src/store/erasure/run-list.ts'
import { beginErasure, failErasure, requestErasure, silentErasures } from '../../src/store/erasure/run-machine.ts'
import { recordRows } from '../../src/store/log/batch.ts'
import { callOf } from '../../src/store/log/call.ts'
import { INTERACTIONS } from '../../src/store/log/interaction.ts'
import { keepWebhook } from '../../src/store/log/kept-webhook.ts'
import { SEARCHES } from '../../src/store/log/search.ts'
import { createTombstones } from '../../src/store/log/tombstone.ts'
import { recordPayments } from '../../src/store/payments/payment-recording.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { recordImpressions } from '../../src/store/recommendations/impressions.ts'
import { recordEvents } from '../../src/store/reports/analytics-event.ts'
import { feedBatch } from '../../src/store/shoppers/shopper-profile.ts'
import type { NewInteraction } from '../../src/admission/interaction.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { erase, erasureDeps, exported, newTombstones, rejection, rowsWith } from '../harness/items/erased.ts'
import { interaction, record, recordAndCount, recordNewSearches, search } from '../harness/items/events.ts'
import { impression } from '../harness/items/impressions.ts'
import { item, newCall, payment } from '../harness/items/payments.ts'
import { analyticsEvent } from '../harness/items/recomputed.ts'
import { clear } from '../harness/servers/database.ts'
import { failingAt } from '../harness/servers/failing-store.ts'

test.beforeEach(({ db }) => clear(db))

const PERSON = 'account:ada-lovelace'
const IDS = ['ada-lovelace', 'tab-of-ada-1', 'tab-of-ada-2']
const LEAKS = [...IDS, '192.0.2.7', 'Ada Browser', 'a present for Ada', 'Ada@example.org']
const RATED = { eventType: 'rating_high', refId: 'lamp', metadata: { rating: 4.5, remark: 'a present for Ada' } } as const

const OF_ADA = {
  accountId: 'ada-lovelace',
  accountNumber: 1815,
  sessionId: 'tab-of-ada-1',
  ipAddress: '192.0.2.7',
  userAgent: 'Ada Browser',
  metadata: { note: 'a present for Ada' },
}
const before = (minutes: number) => Date.now() - minutes * 60_000

/** A person in every table, and others next to it. @returns the interactions. */
async function populate(db: Database): Promise<NewInteraction[]> {
  const own = [
    interaction({ ...OF_ADA, refId: 'lamp', occurredAtMs: before(90) }),
    interaction({ ...OF_ADA, ...RATED, occurredAtMs: before(80) }),
    interaction({ ...OF_ADA, accountId: null, sessionId: 'tab-of-ada-2', refId: 'desk', occurredAtMs: before(70) }),
    interaction({
      ...OF_ADA,
      eventType: 'click_from_search',
      metadata: { query: 'green lamp', note: 'a present for Ada' },
      occurredAtMs: before(60),
    }),
    interaction({ ...OF_ADA, refType: 'Category', refId: 'lights', occurredAtMs: before(50) }),
    // A clock that is ahead.
    interaction({ ...OF_ADA, refId: 'lamp', occurredAtMs: before(-4) }),
  ]
  const others = [
    interaction({
      accountId: 'bob',
      sessionId: 'tab-of-ada-1',
      refId: 'lamp',
      metadata: { note: 'of Bob' },
      ipAddress: '192.0.2.9',
    }),
    interaction({ accountId: 'ada-lovelace-2', refId: 'lamp' }),
    interaction({ accountId: null, sessionId: 'tab-of-bob', refId: 'desk' }),
  ]
  await sql`insert into shopper_redirect (session_id, account_id) values ('tab-of-ada-1', 'ada-lovelace'), ('tab-of-ada-2', 'ada-lovelace'), ('tab-of-bob', 'bob')`.execute(
    db,
  )
  await recordAndCount(db, [...own.slice(0, 4), ...others])
  const searches = [
    search({ query: ' Lamp  of Ada@example.org ', accountId: 'ada-lovelace' }),
    search({ query: 'Desk', accountId: 'bob' }),
  ]
  await countBatch(db, await recordNewSearches(db, searches))
  const events = [
    analyticsEvent({ entityId: 'ada-lovelace' }),
    analyticsEvent({ entityId: 'order-9', payload: { buyer: { id: 'ada-lovelace' } } }),
    analyticsEvent({ entityId: 'bob', payload: { note: 'of Bob' } }),
  ]
  await recordEvents(
    db,
    newCall(),
    events.map((event, index) => ({ ...event, index })),
  )
  const paid = [
    payment({ accountId: 'ada-lovelace', sessionId: 'tab-of-ada-1', orderId: 'order-of-ada' }),
    payment({ accountId: null, orderId: 'order-of-ada', paymentRef: 'pay-2', items: [item({ productId: 'desk' })] }),
    payment({ accountId: 'bob', orderId: 'order-of-bob', paymentRef: 'pay-3' }),
  ].map((one, index) => ({ ...one, index, occurredAtMs: before(40) }))
  const { batch } = await recordPayments(db, newCall(), paid, [])
  await countBatch(db, batch!)
  await feedBatch(db, batch!)
  await recordImpressions(db, [impression({ shopper_id: PERSON }), impression({ shopper_id: 'account:bob' })])
  // Counted and not fed, and neither.
  await countBatch(
    db,
    await record(db, own.slice(4, 5), [rejection(1, { account_id: 'ada-lovelace', ref_id: 7, note: 'a present for Ada' })]),
  )
  await record(db, own.slice(5), [rejection(1, { account_id: 'bob', ref_id: 7 }), rejection(2, 'session tab-of-ada-1 was here')])
  for (const body of ['the buyer ada-lovelace, Ada@example.org', 'the buyer bob']) {
    const webhook = {
      provider: 'stripe',
      content_type: 'text/plain',
      headers: {},
      form: 'base64',
      body: Buffer.from(body).toString('base64'),
    } as const
    await keepWebhook(db, {
      webhook,
      sha256: createHash('sha256').update(body).digest('hex'),
      code: 'refused',
      message: 'no product',
    })
  }
  return own
}

/** What must be the same before and after. */
async function numbersOf(db: Database): Promise<unknown> {
  const tables = ['product_hour', 'product_popularity', 'product_rating', 'sale_line', 'seller_day', 'seller_pending_day']
  const numbers: Record<string, unknown> = {}
  for (const table of tables) {
    numbers[table] = (await sql`select * from ${sql.table(table)} t order by t::text`.execute(db)).rows
  }
  numbers['profiles'] = (
    await sql`select product_id, event_type, events, last_at from shopper_product order by 1, 2, 3, 4`.execute(db)
  ).rows
  numbers['searches'] = (await sql`select normalised_query, product_ids from search order by 1, 2`.execute(db)).rows
  numbers['clicks'] = (
    await sql`select metadata->>'query' as query from interaction where event_type = 'click_from_search'`.execute(db)
  ).rows
  return numbers
}

const driftOf = async (db: Database) => (await verify(db)).drift

test('a person who is erased is nowhere in the database; the numbers stay, and so do others', async ({ db }) => {
  const own = await populate(db)
  const numbers = await numbersOf(db)
  const forgotten: string[] = []
  const run = await erase(db, PERSON, erasureDeps(forgotten))
  expect(run).toMatchObject({ status: 'completed', step: 'certificate' })
  const left = (await rowsWith(db, LEAKS)).filter((row) => !row.includes('ada-lovelace-2'))
  expect(left).toEqual([])
  expect(await exported(db, PERSON)).toEqual([])
  for (const id of IDS.slice(1)) expect(await exported(db, `session:${id}`)).toEqual([])
  expect(await driftOf(db)).toEqual([])
  expect(await numbersOf(db)).toEqual(numbers)
  expect(forgotten).toEqual([
    'account:ada-lovelace',
    'session:order:order-of-ada',
    'session:tab-of-ada-1',
    'session:tab-of-ada-2',
  ])
  const { rows } = await sql`
    select session_id as session, host(ip_address) as address, metadata from interaction where account_id = 'bob' and metadata ? 'note'`.execute(
    db,
  )
  expect(rows).toEqual([{ session: expect.stringMatching(/^erased-/), address: '192.0.2.9', metadata: { note: 'of Bob' } }])
  const kept = await sql`select event_type, metadata from interaction where metadata ?| '{rating,query}' order by 1`.execute(db)
  expect(kept.rows).toEqual([
    { event_type: 'click_from_search', metadata: { query: 'green lamp' } },
    { event_type: 'rating_high', metadata: { rating: 4.5 } },
  ])
  // What waited is counted and fed under the pseudonyms.
  const { rows: batches } = await sql<{
    batchId: string
  }>`select batch_id as "batchId" from interaction_batch where scored_at is null or fed_at is null`.execute(db)
  for (const batch of batches) {
    await countBatch(db, batch)
    await feedBatch(db, batch)
  }
  expect(await driftOf(db)).toEqual([])
  expect(await rowsWith(db, IDS.slice(1))).toEqual([])
  const again = await recordRows(
    db,
    INTERACTIONS,
    callOf(randomUUID(), Buffer.from('')),
    own.map((one, index) => ({ ...one, index })),
    [],
    undefined,
    newTombstones(),
  )
  expect(again).toMatchObject({ accepted: 0, duplicateIndexes: own.map((_one, index) => index) })
})

test('the certificate has the rows of each table, and its hash can be computed again', async ({ db }) => {
  await populate(db)
  const { id, certificate } = await erase(db, PERSON)
  const { tables, erased_at: erasedAt, sha256 } = certificate!
  // 6 events, one of Bob in a session of Ada's, and 3 of the two payments: a purchase each, one of which is of the order.
  expect(tables).toEqual({
    analytics_event: 2,
    archive_shopper: 0,
    impression: 1,
    interaction: 9,
    metric_snapshot: 0,
    payment_callback: 2,
    rejected_interaction: 3,
    restored: 0,
    search: 1,
    shopper_product: 6,
    shopper_recent: 6,
    shopper_redirect: 2,
  })
  expect(sha256).toBe(
    createHash('sha256')
      .update(certifiedText(id, erasedAt, tables))
      .digest('hex'),
  )
  const { data } = await auditEntries(db, { resource_type: 'erasure_run', limit: 10, offset: 0 })
  const ofRun = data.filter((entry) => entry.resource_id === id)
  expect(ofRun.map(({ action, actor }) => `${action} ${actor}`)).toEqual([
    'erasure.complete footfall',
    'erasure.start footfall',
    'erasure.request ada',
  ])
  expect(ofRun[0]!.metadata).toEqual({ erased_at: erasedAt, tables, sha256 })
})

test('an export has every row of the person and no other', async ({ db }) => {
  await populate(db)
  const counts: Record<string, number> = {}
  const lines = await exported(db, PERSON)
  for (const { table } of lines) counts[table] = (counts[table] ?? 0) + 1
  expect(counts).toEqual({
    // Two of them are of the payments.
    analytics_event: 4,
    impression: 1,
    interaction: 8,
    payment_callback: 2,
    rejected_interaction: 3,
    search: 1,
    shopper_product: 6,
    shopper_recent: 6,
    shopper_redirect: 2,
  })
  expect(lines.filter(({ row }) => JSON.stringify(row).includes('bob'))).toEqual([])
  expect(await exported(db, 'session:tab-of-ada-2')).toEqual(lines)
  expect(await exported(db, 'account:nobody')).toEqual([])
})

test('an export of more than one page has each row once, with its numbers as they are', async ({ db }) => {
  const many = Array.from({ length: 1_203 }, (_each, n) =>
    interaction({ accountId: 'carol-1', refId: `p${n}`, occurredAtMs: before(n % 7) }),
  )
  await recordAndCount(db, many)
  await sql`update interaction set metadata = '{"big": 123456789012345678901}' where ref_id = 'p7'`.execute(db)
  const lines = await exported(db, 'account:carol-1')
  for (const table of ['interaction', 'shopper_product']) {
    const products = lines.filter((line) => line.table === table).map(({ row }) => row['ref_id'] ?? row['product_id'])
    expect(new Set(products).size).toBe(1_203)
    expect(products).toHaveLength(1_203)
  }
})

test(
  'killed after every statement of every part, a run ends as if it had not been killed',
  { timeout: 120_000 },
  async ({ db, proofs }) => {
    await populate(db)
    const numbers = await numbersOf(db)
    const id = randomUUID()
    await requestErasure(db, id, { shopper_id: PERSON, actor: 'ada' })
    await beginErasure(db, id)
    const kills: Record<string, number> = {}
    let [statement, last] = [1, '']
    for (let isOpen = true; isOpen;) {
      const { step } = (await findErasure(db, id))!
      if (step !== last) [statement, last] = [1, step]
      try {
        isOpen = await eraseNextPart(failingAt(db, statement++), id, erasureDeps())
      } catch (error) {
        expect((error as Error).message).toBe('killed')
        kills[step] = (kills[step] ?? 0) + 1
        expect(await driftOf(proofs)).toEqual([])
      }
    }
    expect(Object.keys(kills)).toEqual([
      'fence',
      'find',
      'profiles',
      'searches',
      'reports',
      'rejected',
      'context',
      'links',
      'certificate',
    ])
    expect((await findErasure(db, id))!.certificate!.tables).toMatchObject({
      interaction: 9,
      payment_callback: 2,
      rejected_interaction: 3,
      search: 1,
    })
    expect(await numbersOf(db)).toEqual(numbers)
    expect((await rowsWith(db, LEAKS)).filter((row) => !row.includes('ada-lovelace-2'))).toEqual([])
  },
)

test('late events of an erased person are recorded under a fresh pseudonym, and newer ones are of a person who came back', async ({
  db,
}) => {
  await populate(db)
  const tombstones = newTombstones()
  // This process has looked before the erasure, and knows of no tombstone.
  await tombstones.check(db, [])
  const { certificate } = await erase(db, PERSON)
  const erasedMs = Date.parse(certificate!.erased_at)
  const call = callOf(randomUUID(), Buffer.from(''))
  const late = interaction({ ...OF_ADA, ...RATED, refId: 'chair', occurredAtMs: erasedMs })
  const ofSession = interaction({
    ...OF_ADA,
    index: 1,
    accountId: null,
    sessionId: 'tab-of-ada-2',
    refId: 'chair',
    occurredAtMs: before(99),
  })
  const ofBob = interaction({
    index: 2,
    accountId: 'bob',
    sessionId: 'tab-of-ada-1',
    refId: 'chair',
    metadata: { a: 1 },
    occurredAtMs: before(98),
  })
  const newer = interaction({ ...OF_ADA, index: 3, refId: 'stool', occurredAtMs: erasedMs + 1, metadata: { b: 2 } })
  const rejected = [rejection(4, { account_id: 'ada-lovelace', note: 'a present for Ada' }), rejection(5, { account_id: 'bob' })]
  const batch = await recordRows(db, INTERACTIONS, call, [late, ofSession, ofBob, newer], rejected, undefined, tombstones)
  expect(batch).toMatchObject({ accepted: 4, duplicateIndexes: [] })
  await countBatch(db, batch)
  await feedBatch(db, batch)
  const { rows } = await sql<{ account: string | null; session: string | null; metadata: unknown; address: string | null }>`
    select account_id as account, session_id as session, metadata, host(ip_address) as address from interaction
    where batch_id = ${batch.batchId} order by occurred_at desc`.execute(db)
  const pseudonym = expect.stringMatching(/^erased-[0-9a-f]{32}$/)
  expect(rows).toEqual([
    { account: 'ada-lovelace', session: 'tab-of-ada-1', metadata: { b: 2 }, address: '192.0.2.7' },
    { account: pseudonym, session: pseudonym, metadata: { rating: 4.5 }, address: null },
    { account: 'bob', session: pseudonym, metadata: { a: 1 }, address: null },
    { account: null, session: pseudonym, metadata: null, address: null },
  ])
  const { rows: kept } = await sql<{
    item: string
  }>`select item from rejected_interaction where batch_id = ${batch.batchId} order by index`.execute(db)
  expect(kept.map((row) => JSON.parse(row.item))).toEqual([{ account_id: pseudonym }, { account_id: 'bob' }])
  expect(await driftOf(db)).toEqual([])
  expect((await exported(db, PERSON)).map(({ table, row }) => [table, row['ref_id'] ?? row['product_id']])).toEqual([
    ['shopper_product', 'stool'],
    ['shopper_recent', 'stool'],
    ['interaction', 'stool'],
  ])
  // A repeated attempt finds its own rows.
  expect(
    await recordRows(db, INTERACTIONS, call, [late, ofSession, ofBob, newer], rejected, undefined, tombstones),
  ).toMatchObject({ accepted: 4, isNew: false })
})

test('late searches, analytics events and payments of an erased person are under pseudonyms too', async ({ db }) => {
  await populate(db)
  const tombstones = newTombstones()
  await erase(db, PERSON)
  const [late] = [search({ query: 'Lamp for Ada@example.org', accountId: 'ada-lovelace', occurredAtMs: before(9) })]
  await recordRows(db, SEARCHES, newCall(), [late], [], undefined, tombstones)
  const event = {
    ...analyticsEvent({ entityId: 'ada-lovelace', occurredAtMs: before(9), payload: { of: 'a present for Ada' } }),
    index: 0,
  }
  expect(await recordEvents(db, newCall(), [event], tombstones)).toMatchObject({ accepted: 1 })
  const paid = payment({ accountId: 'ada-lovelace', paymentRef: 'pay-late', orderId: 'order-late', occurredAtMs: before(9) })
  expect((await recordPayments(db, newCall(), [paid], [], undefined, tombstones)).results).toMatchObject([{ isRecorded: true }])
  expect((await recordPayments(db, newCall(), [paid], [], undefined, tombstones)).results).toMatchObject([
    { isRecorded: false, rejection: undefined },
  ])
  // A refund that names no shopper goes to the pseudonym of the sale.
  const refund = payment({
    accountId: null,
    paymentRef: 'pay-1',
    orderId: 'order-of-ada',
    status: 'refunded',
    occurredAtMs: Date.now(),
  })
  await recordPayments(db, newCall(), [refund], [], undefined, tombstones)
  expect((await rowsWith(db, LEAKS)).filter((row) => !row.includes('ada-lovelace-2'))).toEqual([])
  const refunds = await sql`select account_id as account from interaction where event_type = 'refund_requested'`.execute(db)
  expect(refunds.rows).toEqual([{ account: expect.stringMatching(/^erased-/) }])
  expect(
    (await driftOf(db)).filter(({ aggregate }) => aggregate !== 'product_hour' && aggregate !== 'product_popularity'),
  ).toEqual([])
})

test('a process without the key records nothing after an erasure, and an older release neither', async ({ db }) => {
  await populate(db)
  const keyless = createTombstones(undefined)
  const recordOne = () => recordRows(db, INTERACTIONS, newCall(), [interaction()], [], undefined, keyless)
  expect(await recordOne()).toMatchObject({ accepted: 1 })
  await erase(db, PERSON)
  await expect(recordOne()).rejects.toThrow('ERASURE_KEY_FILE')
  const older = sql`
    insert into interaction_batch (occurred_from, occurred_to, events, invocation_id, body_sha256, kind)
    values (now(), now(), 0, 'inv_older', 'x', 'interaction')`
  await expect(older.execute(db)).rejects.toThrow('a release that does not know tombstones cannot record events')
  const { rows } = await sql<{ since: string }>`select works_since as since from migration where name like '0023%'`.execute(db)
  expect(rows).toEqual([{ since: '0023' }])
})

test('one run of a shopper is open: other requests are answered with it, also when they come together', async ({ db }) => {
  const ids = Array.from({ length: 8 }, () => randomUUID())
  const runs = await Promise.all(ids.map((id) => requestErasure(db, id, { shopper_id: PERSON, actor: 'ada' })))
  expect(new Set(runs.map(({ id }) => id)).size).toBe(1)
  const [open] = runs
  expect(open).toMatchObject({ status: 'pending', step: 'fence' })
  expect(await silentErasures(db, 60_000, 10)).toEqual([])
  await sql`update erasure_run set active_at = now() - interval '2 minutes'`.execute(db)
  expect(await silentErasures(db, 60_000, 10)).toEqual([open!.id])
  expect(await erase(db, PERSON)).toMatchObject({ id: open!.id, status: 'completed' })
  const next = await requestErasure(db, randomUUID(), { shopper_id: PERSON, actor: 'ada' })
  expect(next.id).not.toBe(open!.id)
})

test('a run that failed names no shopper, changes nothing more, and the next one erases the rest', async ({ db }) => {
  await populate(db)
  const id = randomUUID()
  await requestErasure(db, id, { shopper_id: PERSON, actor: 'ada' })
  await beginErasure(db, id)
  for (let part = 0; part < 3; part++) await eraseNextPart(db, id, erasureDeps())
  await failErasure(db, id, 'its invocation was cancelled')
  expect(await findErasure(db, id)).toMatchObject({ status: 'failed', error_message: 'its invocation was cancelled' })
  expect(await eraseNextPart(db, id, erasureDeps())).toBe(false)
  expect(await beginErasure(db, id)).toBe(undefined)
  await failErasure(db, id, 'again')
  expect((await sql`select from erasure_shopper`.execute(db)).rows).toEqual([])
  expect((await sql`select from erasure_event`.execute(db)).rows).toEqual([])
  expect(await erase(db, PERSON)).toMatchObject({ status: 'completed' })
  expect((await rowsWith(db, LEAKS)).filter((row) => !row.includes('ada-lovelace-2'))).toEqual([])
  expect(await driftOf(db)).toEqual([])
})

test('runs are listed in pages, the newest first, as each is by itself', async ({ db }) => {
  const ids: string[] = []
  for (let n = 0; n < 4; n++) ids.unshift((await erase(db, `account:shopper-${n}`)).id)
  ids.unshift((await requestErasure(db, randomUUID(), { shopper_id: PERSON, actor: 'ada' })).id)
  const seen = []
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page = await listErasures(db, { limit: 2, ...(cursor !== undefined && { cursor }) })
    seen.push(...page!.data)
    cursor = page!.meta.next_cursor
  }
  expect(seen).toEqual(await Promise.all(ids.map((id) => findErasure(db, id))))
  expect(JSON.stringify(seen)).not.toContain('shopper-')
  expect(JSON.stringify(seen)).not.toContain(PERSON)
  expect(await listErasures(db, { limit: 2, cursor: 'nonsense' })).toBeUndefined()
})

test('a session that was merged stands for its person, and one that was not for itself', async ({ db }) => {
  await populate(db)
  await erase(db, 'session:tab-of-ada-2')
  expect(await exported(db, PERSON)).toEqual([])
})

test('erasing a session that was not merged leaves the account that used it', async ({ db }) => {
  await recordAndCount(db, [
    interaction({ accountId: null, sessionId: 'tab-of-eve-1', refId: 'lamp', metadata: { note: 'of Eve' } }),
    interaction({ accountId: 'eve-adams', sessionId: 'tab-of-eve-1', refId: 'lamp', metadata: { note: 'of Eve' } }),
  ])
  await erase(db, 'session:tab-of-eve-1')
  expect(await rowsWith(db, ['tab-of-eve-1'])).toEqual([])
  expect((await exported(db, 'account:eve-adams')).map(({ table, row }) => [table, row['metadata']])).toEqual([
    ['shopper_product', undefined],
    ['shopper_recent', undefined],
    ['interaction', { note: 'of Eve' }],
  ])
  expect(await driftOf(db)).toEqual([])
})

test('an export has its beginning and its end in the audit trail once, whichever is noted first, and however often', async ({
  db,
}) => {
  const beganMs = before(3)
  for (const order of [
    ['started', 'completed'],
    ['completed', 'started'],
    ['completed', 'completed', 'started', 'cut_off'],
  ] as const) {
    await clear(db)
    const id = uuidV7(beganMs, randomBytes(10))
    const by = { actor: 'local', requested_by: 'privacy desk' }
    for (const status of order) await noteExport(db, { export_id: id, status, ...by, ...(status !== 'started' && { rows: 41 }) })
    const { data } = await auditEntries(db, { resource_type: 'person_export', limit: 10, offset: 0 })
    expect(data.filter(({ resource_id }) => resource_id === id).map(({ action }) => action)).toEqual([
      'export.complete',
      'export.start',
    ])
    expect((await listExports(db, { limit: 10 }))!.data).toMatchObject([
      { id, status: 'completed', rows: 41, started_at: new Date(beganMs).toISOString() },
    ])
  }
})
