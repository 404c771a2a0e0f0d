import { createHash } from 'node:crypto'
import type { ObjectContext } from '@restatedev/restate-sdk'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { Deps } from '../../services/handler/deps.ts'
import { DROP_REJECTED } from '../../services/tasks/drop-rejected.ts'
import type { KeepWebhookRequest } from '../../src/contract/payment-webhook.ts'
import type { RejectedKey } from '../../src/contract/rejected.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { backlog } from '../../src/store/log/backlog.ts'
import { keepWebhook, keptWebhook } from '../../src/store/log/kept-webhook.ts'
import { countRejected, dropOldIgnored, dropOldRejected, dropRejected } from '../../src/store/log/rejected-drop.ts'
import { countOpenRejected, openRejected, rejectedPage } from '../../src/store/log/rejected-item.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { record } from '../harness/items/events.ts'
import { clear } from '../harness/servers/database.ts'

test.beforeEach(({ db }) => clear(db))

const request = (text: string, changes: Partial<KeepWebhookRequest> = {}): KeepWebhookRequest => ({
  webhook: { provider: 'stripe', content_type: 'text/xml', headers: { 'x-topic': 'paid' }, form: 'text', body: text },
  sha256: createHash('sha256').update(text).digest('hex'),
  code: 'refused',
  message: 'the adapter of stripe: no product',
  ...changes,
})

const listed = async (db: Database, { replayed = false, ignored = false } = {}) =>
  (await rejectedPage(db, { limit: 100, after: undefined, replayed, ignored })).data

async function onlyKey(db: Database): Promise<RejectedKey> {
  const [key, ...more] = await openRejected(db, 10)
  expect(more).toEqual([])
  return key!
}

test('a webhook is kept once, however often and concurrently it comes, with its first reason', async ({ db }) => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_each, n) => keepWebhook(db, request('<a/>', { message: `reason ${n}` }))),
  )
  expect(answers.filter(Boolean)).toHaveLength(1)
  expect(await listed(db)).toEqual([
    expect.objectContaining({
      code: 'refused',
      field: null,
      message: expect.stringMatching(/^reason \d+$/),
      item: request('<a/>').webhook,
      cut_from_bytes: null,
      replayed_at: null,
    }),
  ])
})

test('another body, another provider and another code are other webhooks', async ({ db }) => {
  expect(await keepWebhook(db, request('<a/>'))).toBe(true)
  expect(await keepWebhook(db, request('<b/>'))).toBe(true)
  expect(await keepWebhook(db, request('<a/>', { webhook: { ...request('<a/>').webhook, provider: 'adyen' } }))).toBe(true)
  expect(await keepWebhook(db, request('<a/>', { code: 'ignored' }))).toBe(true)
  expect(await keepWebhook(db, request('<a/>', { code: 'ignored' }))).toBe(false)
  expect(await countRejected(db, { kind: 'webhook' })).toBe(4)
})

test('a webhook waits for nothing, and the proof holds', async ({ db }) => {
  await keepWebhook(db, request('<a/>'))
  expect(await backlog(db)).toMatchObject({ uncountedBatches: 0, unfedBatches: 0 })
  expect((await verify(db)).drift).toEqual([])
})

test('ignored webhooks are listed, counted and replayed apart', async ({ db }) => {
  await record(db, [], [{ index: 0, code: 'invalid', field: 'ref_id', message: 'is missing', item: {} }])
  await keepWebhook(db, request('<a/>'))
  await keepWebhook(db, request('<b/>', { code: 'ignored', message: 'of no interest' }))
  expect((await listed(db)).map(({ code }) => code)).toEqual(['refused', 'invalid'])
  expect((await listed(db, { replayed: true })).map(({ code }) => code)).toEqual(['refused', 'invalid'])
  expect((await listed(db, { ignored: true })).map(({ message }) => message)).toEqual(['of no interest'])
  expect([await countOpenRejected(db), await countOpenRejected(db, true)]).toEqual([2, 1])
  expect([(await openRejected(db, 10)).length, (await openRejected(db, 10, true)).length]).toEqual([2, 1])
})

test('what its adapter gets is read back; another event is no webhook', async ({ db }) => {
  const json = { a: 'x\0\ud800', n: 2 ** 53 }
  await keepWebhook(db, request('{}', { webhook: { ...request('{}').webhook, form: 'json', body: json } }))
  const key = await onlyKey(db)
  expect(await keptWebhook(db, key)).toEqual({ code: 'refused', webhook: { ...request('{}').webhook, form: 'json', body: json } })
  expect(await keptWebhook(db, { batch_id: '999999', index: 0 })).toBeUndefined()
  await clear(db)
  await record(db, [], [{ index: 0, code: 'invalid', field: null, message: 'is no object', item: { provider: 'stripe' } }])
  expect(await keptWebhook(db, await onlyKey(db))).toBeUndefined()
})

test('a webhook that was deleted is not listed again when it comes again', async ({ db }) => {
  await keepWebhook(db, request('<a/>'))
  expect(await dropRejected(db, { kind: 'webhook' }, 'ada')).toBe(1)
  expect(await keepWebhook(db, request('<a/>'))).toBe(false)
  expect(await listed(db)).toEqual([])
})

const age = (db: Database, days: number) =>
  sql`update interaction_batch set received_at = now() - ${days} * interval '1 day' - interval '1 minute'`.execute(db)

test('old ignored webhooks are deleted, wherever they are, and refused ones stay for longer', async ({ db }) => {
  // More than one statement looks at.
  const rejections = Array.from({ length: 6_000 }, (_each, index) => ({
    ...{ index, code: 'invalid' as const, field: null, message: 'wrong', item: {} },
  }))
  await record(db, [], rejections)
  await keepWebhook(db, request('<a/>', { code: 'ignored' }))
  await keepWebhook(db, request('<b/>'))
  await age(db, 8)
  await keepWebhook(db, request('<c/>', { code: 'ignored' }))
  expect(await dropOldIgnored(db, 7)).toBe(1)
  expect((await listed(db, { ignored: true })).map(({ item }) => (item as { body: string }).body)).toEqual(['<c/>'])
  expect(await countOpenRejected(db)).toBe(6_001)
  expect(await dropOldRejected(db, 9)).toBe(0)
})

test('the task deletes ignored webhooks at their own age, and at that of rejected events when it is lower', async ({ db }) => {
  const run = (rejectedDays: number, ignoredWebhookDays: number) => {
    const retention = {
      retentionDays: undefined,
      rollUpAfterDays: undefined,
      rejectedDays,
      ignoredWebhookDays,
      impressionDays: 90,
      deliveryDays: 30,
    }
    const ctx = { run: (_name: string, action: () => Promise<unknown>) => action() }
    return DROP_REJECTED.run({ background: db, retention } as Deps, ctx as unknown as ObjectContext, 0)
  }
  await keepWebhook(db, request('<a/>', { code: 'ignored' }))
  await keepWebhook(db, request('<b/>'))
  await age(db, 8)
  await run(90, 9)
  expect(await countRejected(db, {})).toBe(2)
  await run(90, 7)
  expect((await listed(db)).map(({ code }) => code)).toEqual(['refused'])
  await keepWebhook(db, request('<c/>', { code: 'ignored' }))
  await age(db, 8)
  await run(7, 30)
  expect(await countRejected(db, {})).toBe(0)
})
