import { sql } from 'kysely'
import { expect } from 'vitest'
import type { Database } from '../../src/store/database/connection.ts'
import { keepWebhook } from '../../src/store/log/kept-webhook.ts'
import { recordPayments } from '../../src/store/payments/payment-recording.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { recordImpressions } from '../../src/store/recommendations/impressions.ts'
import { recordEvents } from '../../src/store/reports/analytics-event.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { feedBatch } from '../../src/store/shoppers/shopper-profile.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { erase, exported, rejection } from '../harness/items/erased.ts'
import { interaction, record, recordNewSearches, search } from '../harness/items/events.ts'
import { impression } from '../harness/items/impressions.ts'
import { item, newCall, payment } from '../harness/items/payments.ts'
import { analyticsEvent } from '../harness/items/recomputed.ts'
import { clear } from '../harness/servers/database.ts'

test.beforeEach(({ db }) => clear(db))

const past = Date.now() - 60_000

/** A shopper of this id in every table; `n` keeps the ids of payments and batches apart. */
async function populate(db: Database, id: string, n: number): Promise<void> {
  const batch = await record(
    db,
    [
      interaction({ accountId: id, refId: 'lamp', occurredAtMs: past }),
      interaction({ accountId: null, sessionId: id, refId: 'desk', occurredAtMs: past }),
    ],
    [rejection(2, { account_id: id, ref_id: 7 }), rejection(3, { session_id: id, ref_id: 7 })],
  )
  await countBatch(db, batch)
  await feedBatch(db, batch)
  await sql`insert into shopper_redirect (session_id, account_id) values (${id}, ${id})`.execute(db)
  await recordNewSearches(db, [search({ accountId: id, occurredAtMs: past })])
  const event = { ...analyticsEvent({ entityId: 'order-9', payload: { buyer: id }, occurredAtMs: past }), index: 0 }
  await recordEvents(db, newCall(), [event])
  const paid = payment({ accountId: id, orderId: `o-${n}`, paymentRef: `pay-${n}`, occurredAtMs: past })
  const { batch: ofPayment } = await recordPayments(db, newCall(), [paid], [])
  await countBatch(db, ofPayment!)
  await feedBatch(db, ofPayment!)
  await recordImpressions(db, [impression({ shopper_id: `account:${id}` }), impression({ shopper_id: `session:${id}` })])
}

/** Rows per table of an export, without an order. */
async function exportOf(db: Database, shopperId: string): Promise<string[]> {
  return (await exported(db, shopperId)).map(({ table, row }) => `${table} ${JSON.stringify(row)}`).toSorted()
}

const TABLES = [
  'analytics_event',
  'impression',
  'interaction',
  'payment_callback',
  'rejected_interaction',
  'search',
  'shopper_product',
  'shopper_recent',
  'shopper_redirect',
]

test.for<[name: string, id: string, others: string[]]>([
  ['an id with colons', 'account:7:8', ['7:8', 'account:7', 'account:7:8:9', 'account', ':7:8']],
  ['an id that is a prefix of others', 'ada-lovelace', ['ada-lovelace-2', 'ada-lovelac', 'ada-lovelace.x', 'Ada-Lovelace']],
  ['an address with a longer one', 'ada@example.org', ['ada@example.org.uk', 'x.ada@example.org', 'ADA@example.org']],
  ['an id that is short', '7', ['77', '07', '7.0']],
  ['an id of other letters', 'zoë Łukasz 木村', ['zoe\u0308 Łukasz 木村', 'zoë', 'zoë Łukasz']],
  ['an id beyond the first plane', '🜁🜂🜃🜄🜅🜆🜇🜈', ['🜁🜂🜃🜄🜅🜆🜇', '🜁🜂🜃🜄🜅🜆🜇🜉']],
  ['an id with percents', '100%25%2Fada', ['100%/ada', '100%25/ada', '100%2525%252Fada']],
  ['an id of wildcards', '%_%_%_%_%', ['%_%_%_%', '_________', 'anything at all']],
  ['an id with quotes and backslashes', String.raw`a"b\'c\\d"{}[*]`, [String.raw`a"b\'c\d"{}[*]`, 'a"b']],
  ['an id with control characters', 'tab\there\u0007\u200f', ['tab here\u0007\u200f', 'tab\there']],
  ['a long id', 'x'.repeat(200), ['x'.repeat(199), `${'x'.repeat(199)}y`]],
])('%s is erased, and no other one', { timeout: 60_000 }, async ([_name, id, others], { db }) => {
  const all = [id, ...others]
  for (const [n, each] of all.entries()) await populate(db, each, n)
  const tablesOf = async (each: string) =>
    [...new Set((await exported(db, `account:${each}`)).map(({ table }) => table))].toSorted()
  for (const each of all) expect([each, await tablesOf(each)]).toEqual([each, TABLES])
  const kept = await Promise.all(others.map((other) => exportOf(db, `account:${other}`)))
  const { certificate } = await erase(db, `session:${id}`)
  expect(certificate!.tables).toEqual({
    ...{
      analytics_event: 1,
      impression: 2,
      interaction: 3,
      metric_snapshot: 0,
      payment_callback: 1,
      rejected_interaction: 2,
      search: 1,
    },
    ...{ shopper_product: 3, shopper_recent: 3, shopper_redirect: 1 },
    ...{ archive_shopper: 0, restored: 0 },
  })
  for (const kind of ['account', 'session']) expect(await exported(db, `${kind}:${id}`)).toEqual([])
  for (const [n, other] of others.entries()) expect(await exportOf(db, `account:${other}`)).toEqual(kept[n])
  expect((await verify(db)).drift.filter(({ aggregate }) => !aggregate.startsWith('product'))).toEqual([])
})

test('a product, a seller and a provider with the id of the person stay, and so do the rows of others about them', async ({
  db,
}) => {
  const id = 'ada-lovelace'
  const ofOther = [
    { account_id: 'bob', event_type: 'view', ref_type: 'Product', ref_id: id, occurred_at: 'x' },
    { account_id: 'bob', items: [{ product_id: id, seller_id: id, quantity: 1 }], note: 'kept' },
    { account_id: 'bob', query: 'lamp', product_ids: [id], note: 'kept' },
  ]
  const batch = await record(
    db,
    [
      interaction({ accountId: id, refId: id, occurredAtMs: past }),
      interaction({ accountId: 'bob', refId: id, occurredAtMs: past, metadata: { note: 'of Bob' } }),
    ],
    [...ofOther, { account_id: id, ref_id: id, note: 'gone' }].map((sent, n) => rejection(n + 2, sent)),
  )
  await countBatch(db, batch)
  await feedBatch(db, batch)
  await recordNewSearches(db, [search({ accountId: 'bob', productIds: [id], query: id, occurredAtMs: past })])
  const sold = payment({
    ...{ provider: id, accountId: 'bob', orderId: id, paymentRef: id, occurredAtMs: past },
    items: [item({ productId: id, sellerId: id })],
  })
  const { batch: ofPayment } = await recordPayments(db, newCall(), [sold], [])
  await countBatch(db, ofPayment!)
  await feedBatch(db, ofPayment!)
  const before = await exportOf(db, 'account:bob')
  const sales = async () => (await sql`select * from seller_day where seller_id = ${id}`.execute(db)).rows
  const [soldBefore] = await sales()
  await erase(db, `account:${id}`)
  expect(await exported(db, `account:${id}`)).toEqual([])
  expect(await exportOf(db, 'account:bob')).toEqual(before)
  expect(await sales()).toEqual([soldBefore])
  const { rows } = await sql<{ views: number }>`
    select view_count::int as views from product_popularity where product_id = ${id}`.execute(db)
  expect(rows).toEqual([{ views: 2 }])
  const { rows: items } = await sql<{ item: string }>`select item from rejected_interaction order by index`.execute(db)
  expect(items.map((row) => JSON.parse(row.item))).toEqual([
    ...ofOther,
    { account_id: expect.stringMatching(/^erased-/), ref_id: id },
  ])
  expect((await verify(db)).drift).toEqual([])
})

test('a rejected item of another account in a session of the person loses its session only', async ({ db }) => {
  await sql`insert into shopper_redirect (session_id, account_id) values ('shared-tab', 'ada-lovelace')`.execute(db)
  const sent = { account_id: 'bob', session_id: 'shared-tab', ref_id: 7, note: 'of Bob' }
  await record(db, [], [rejection(0, sent), rejection(1, { ...sent, note: 'for ada-lovelace' })])
  await erase(db, 'account:ada-lovelace')
  const { rows } = await sql<{ item: string }>`select item from rejected_interaction order by index`.execute(db)
  const session_id = expect.stringMatching(/^erased-/)
  expect(rows.map((row) => JSON.parse(row.item))).toEqual([
    { ...sent, session_id },
    { account_id: 'bob', session_id, ref_id: 7 },
  ])
})

test('a webhook that has the id in a form, with percents, is emptied', async ({ db }) => {
  const id = 'zoë: 木村 & co'
  const bodies = [new URLSearchParams({ buyer: id }).toString(), `buyer=${encodeURIComponent(id)}`, 'buyer=zo%C3%AB']
  for (const [n, body] of bodies.entries()) {
    const webhook = {
      ...{ provider: 'acme', content_type: 'application/x-www-form-urlencoded', headers: {}, form: 'base64' as const },
      body: Buffer.from(body).toString('base64'),
    }
    await keepWebhook(db, { webhook, sha256: String(n).repeat(64), code: 'refused', message: 'no product' })
  }
  const asJson = { provider: 'acme', content_type: 'application/json', headers: {}, form: 'json' as const }
  const link = { back: `https://shop.example/thanks?for=${encodeURIComponent(id)}` }
  await keepWebhook(db, { webhook: { ...asJson, body: link }, sha256: '9'.repeat(64), code: 'refused', message: 'no product' })
  expect(await exported(db, `account:${id}`)).toHaveLength(3)
  await erase(db, `account:${id}`)
  const { rows } = await sql<{
    isEmpty: boolean
  }>`select item = '' as "isEmpty" from rejected_interaction order by batch_id`.execute(db)
  expect(rows.map(({ isEmpty }) => isEmpty)).toEqual([true, true, false, true])
})
