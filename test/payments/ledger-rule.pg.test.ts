import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { NewPayment } from '../../src/admission/payment.ts'
import { NEWEST_RULE } from '../../src/ledger/callback.ts'
import { connect, type Database } from '../../src/store/database/connection.ts'
import { completeRule, takeRuleIntoForce } from '../../src/store/payments/ledger-rule.ts'
import { recordPayments } from '../../src/store/payments/payment-recording.ts'
import { type PaymentRef, settlePageAgain } from '../../src/store/payments/settle-again.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { adjustment, firstRuleArbitrary, item, newCall, NOON, payment, withoutZeros } from '../harness/items/payments.ts'
import { recordAsReleaseBefore } from '../harness/items/release-before.ts'
import { reference } from '../harness/reference/ledger.ts'
import { clear } from '../harness/servers/database.ts'

const DAY_MS = 24 * 3_600_000

/** A database that an older release uses: rule 1 is in force. */
test.beforeEach(async ({ db }) => {
  await clear(db)
  await sql`alter table ledger_rule disable trigger user`.execute(db)
  await sql`update ledger_rule set rule = 1, is_complete = false, older_seen_at = now()`.execute(db)
  await sql`alter table ledger_rule enable trigger user`.execute(db)
  await sql`update migration set works_since = '0016' where name like '0018%'`.execute(db)
})

function record(db: Database, payments: readonly NewPayment[], call = newCall()) {
  return recordPayments(
    db,
    call,
    payments.map((one, index) => ({ ...one, index })),
    [],
  )
}

/** Lets older processes be unseen for 11 minutes. */
async function letTimePass(db: Database): Promise<void> {
  await sql`update ledger_rule set older_seen_at = older_seen_at - interval '11 minutes'`.execute(db)
  await sql`update payment_callback set received_at = received_at - interval '11 minutes'`.execute(db)
}

async function settleAllAgain(db: Database): Promise<void> {
  let after: PaymentRef | undefined = { provider: '', paymentRef: '' }
  while (after !== undefined) after = await settlePageAgain(db, after)
  await completeRule(db)
}

async function storedDays(db: Database): Promise<ReturnType<typeof reference>['days']> {
  const { rows } = await sql<{ name: string; revenue: string; items: string; orders: number }>`
    select seller_id || ' ' || currency || ' ' || day as name, revenue, items, orders from seller_day`.execute(db)
  return withoutZeros(
    Object.fromEntries(
      rows.map(({ name, revenue, items, orders }) => [name, { revenue: Number(revenue), items: Number(items), orders }]),
    ),
  )
}

test(
  'a release with rule 1 and this one record the same payments, and this one settles them again',
  { timeout: 120_000 },
  async ({ db, proofs }) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(firstRuleArbitrary, fc.boolean()), { minLength: 1, maxLength: 8 }),
        async (callbacks) => {
          await clear(db)
          await sql`alter table ledger_rule disable trigger user`.execute(db)
          await sql`update ledger_rule set rule = 1, is_complete = false, older_seen_at = now()`.execute(db)
          await sql`alter table ledger_rule enable trigger user`.execute(db)
          for (const [callback, isOfReleaseBefore] of callbacks) {
            if (isOfReleaseBefore) await recordAsReleaseBefore(db, [callback])
            else await record(db, [callback])
          }
          const all = callbacks.map(([callback]) => callback)
          expect(await storedDays(db)).toEqual(withoutZeros(reference(all).days))
          expect((await verify(proofs)).drift.filter(({ aggregate }) => aggregate !== 'metric_snapshot')).toEqual([])
          await letTimePass(db)
          expect(await takeRuleIntoForce(db)).toEqual({ isInForce: true, isComplete: false })
          await settleAllAgain(db)
          expect(await storedDays(db)).toEqual(withoutZeros(reference(all.map((one) => ({ ...one, rule: NEWEST_RULE }))).days))
          expect((await verify(proofs)).drift).toEqual([])
          expect(await takeRuleIntoForce(db)).toEqual({ isInForce: true, isComplete: true })
        },
      ),
      { numRuns: 12 },
    )
  },
)

test('while an older release may run, callbacks that it does not know are rejected for now and kept', async ({ db }) => {
  const unknown = [
    payment({ captureRef: 'c-1' }),
    payment({ status: 'failed', reverses: 'refund' }),
    payment({ items: [item(), adjustment()] }),
    payment({ items: [item({ quantity: 1.5 })] }),
  ]
  const { results, batch } = await record(db, [...unknown, payment()])
  expect(results.map(({ isRecorded, rejection }) => rejection?.code ?? isRecorded)).toEqual([
    ...unknown.map(() => 'not_yet'),
    true,
  ])
  const { rows } = await sql`
    select index from rejected_interaction where batch_id = ${batch!.batchId} order by index`.execute(db)
  expect(rows).toEqual([0, 1, 2, 3].map((index) => ({ index })))
})

test('an attempt of a call repeats that a callback is too early, also when the newest rule is in force by then', async ({
  db,
}) => {
  const call = newCall()
  const callbacks = [payment(), payment({ captureRef: 'c-1' })]
  const first = await record(db, callbacks, call)
  await letTimePass(db)
  await takeRuleIntoForce(db)
  expect(await record(db, callbacks, call)).toEqual({ ...first, isNew: false })
  const { results } = await record(db, callbacks)
  expect(results.map(({ isRecorded }) => isRecorded)).toEqual([false, true])
})

test('the newest rule is not in force while an older process is connected, or has recorded a callback lately', async ({
  database,
  db,
}) => {
  const older = connect({ url: database.url, name: 'footfall endpoint' })
  await sql`select 1`.execute(older)
  await letTimePass(db)
  expect(await takeRuleIntoForce(db)).toMatchObject({ isInForce: false })
  await older.destroy()
  await recordAsReleaseBefore(db, [payment()])
  await sql`update ledger_rule set older_seen_at = now() - interval '1 day'`.execute(db)
  expect(await takeRuleIntoForce(db)).toMatchObject({ isInForce: false })
  await letTimePass(db)
  expect(await takeRuleIntoForce(db)).toMatchObject({ isInForce: true })
})

test('when the newest rule is in force, an older process can record no callback and start no more', async ({ db }) => {
  await recordAsReleaseBefore(db, [payment()])
  await letTimePass(db)
  await takeRuleIntoForce(db)
  const late = payment({ status: 'failed', occurredAtMs: NOON + DAY_MS })
  await expect(recordAsReleaseBefore(db, [late])).rejects.toThrow('payments are settled by a newer rule')
  const { rows } = await sql`select works_since from migration where name like '0018%'`.execute(db)
  expect(rows).toEqual([{ works_since: '0018' }])
  await expect(sql`update ledger_rule set rule = 1`.execute(db)).rejects.toThrow('the ledger cannot go from rule 2 to rule 1')
  await record(db, [late])
  expect(await storedDays(db)).toEqual({
    'north EUR 2026-03-01': { revenue: 1_000, items: 2, orders: 1 },
    'north EUR 2026-03-02': { revenue: -1_000, items: -2, orders: -1 },
  })
  expect((await verify(db)).drift.filter(({ aggregate }) => aggregate !== 'metric_snapshot')).toEqual([])
})

test('settling again gives what was pending its day, and sends the events of what was taken back', async ({ db }) => {
  const failure = payment({ status: 'failed', occurredAtMs: NOON + DAY_MS })
  await recordAsReleaseBefore(db, [payment(), failure, payment({ paymentRef: 'open', status: 'pending' })])
  await letTimePass(db)
  await takeRuleIntoForce(db)
  await settleAllAgain(db)
  await settleAllAgain(db)
  const { rows } = await sql`
    select event_type, ref_id, occurred_at from interaction where event_type = 'cancel_order'`.execute(db)
  expect(rows).toEqual([{ event_type: 'cancel_order', ref_id: 'lamp', occurred_at: new Date(failure.occurredAtMs) }])
  const pending = await sql`select day::text, items::int from seller_pending_day where items <> 0`.execute(db)
  expect(pending.rows).toEqual([{ day: '2026-03-01', items: 2 }])
})
