import type { KyselyPlugin } from 'kysely'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { NewPayment } from '../../src/admission/payment.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { eraseNextPart } from '../../src/store/erasure/next-part.ts'
import { beginErasure, requestErasure } from '../../src/store/erasure/run-machine.ts'
import { completeRule, takeRuleIntoForce } from '../../src/store/payments/ledger-rule.ts'
import { recordPayments } from '../../src/store/payments/payment-recording.ts'
import { settlePageAgain } from '../../src/store/payments/settle-again.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { feedBatch } from '../../src/store/shoppers/shopper-profile.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { erase, erasureDeps, newTombstones, rowsWith } from '../harness/items/erased.ts'
import { newCall, payment } from '../harness/items/payments.ts'
import { clear } from '../harness/servers/database.ts'

/** A database that an older release uses: rule 1 is in force. */
test.beforeEach(async ({ db }) => {
  await clear(db)
  await sql`alter table ledger_rule disable trigger user`.execute(db)
  await sql`update ledger_rule set rule = 1, is_complete = false, older_seen_at = now()`.execute(db)
  await sql`alter table ledger_rule enable trigger user`.execute(db)
  await sql`update migration set works_since = '0016' where name like '0018%'`.execute(db)
})

const PERSON = 'account:ada-lovelace'
const FIRST = { provider: '', paymentRef: '' }

async function pay(db: Database, values: Partial<NewPayment>): Promise<void> {
  const { batch } = await recordPayments(
    db,
    newCall(),
    [payment({ accountId: 'ada-lovelace', ...values })],
    [],
    undefined,
    newTombstones(),
  )
  if (batch === undefined) return
  await countBatch(db, batch)
  await feedBatch(db, batch)
}

/** A payment that the newest rule takes back, and rule 1 does not. */
async function payUnderFirstRule(db: Database, aheadMs: number): Promise<void> {
  await pay(db, { occurredAtMs: Date.now() + aheadMs - 1_000 })
  await pay(db, { status: 'failed', occurredAtMs: Date.now() + aheadMs })
  await sql`update ledger_rule set older_seen_at = older_seen_at - interval '11 minutes'`.execute(db)
  await sql`update payment_callback set received_at = received_at - interval '11 minutes'`.execute(db)
  expect(await takeRuleIntoForce(db)).toEqual({ isInForce: true, isComplete: false })
}

async function expectErased(db: Database): Promise<void> {
  const { rows } = await sql`select account_id as account from interaction where event_type = 'cancel_order'`.execute(db)
  expect(rows).toEqual([{ account: expect.stringMatching(/^erased-/) }])
  expect(await rowsWith(db, ['ada-lovelace'])).toEqual([])
  await completeRule(db)
  const { rows: batches } = await sql<{ batchId: string }>`
    select batch_id as "batchId" from interaction_batch where scored_at is null or fed_at is null order by 1`.execute(db)
  for (const batch of batches) {
    await countBatch(db, batch)
    await feedBatch(db, batch)
  }
  expect((await verify(db)).drift).toEqual([])
}

test.for([-60_000, 240_000])(
  'what settling again records of a person between two parts of the erasure is of a pseudonym: clock %i ms ahead',
  async (aheadMs, { db }) => {
    await payUnderFirstRule(db, aheadMs)
    const { id } = await requestErasure(db, crypto.randomUUID(), { shopper_id: PERSON, actor: 'ada' })
    await beginErasure(db, id)
    await eraseNextPart(db, id, erasureDeps())
    await settlePageAgain(db, FIRST, newTombstones())
    while (await eraseNextPart(db, id, erasureDeps()));
    await expectErased(db)
  },
)

/** A store that does `work` after it has read the recorded callbacks, before it goes on. */
function pausingAfterKnown(db: Database, work: () => Promise<unknown>): Database {
  const known = new Set<object>()
  const plugin: KyselyPlugin = {
    transformQuery: ({ node, queryId }) => {
      if (node.kind === 'RawNode' && node.sqlFragments.join('').includes('from wanted)')) known.add(queryId)
      return node
    },
    transformResult: async ({ queryId, result }) => {
      if (known.delete(queryId)) await work()
      return result
    },
  }
  return db.withPlugin(plugin)
}

test('what settling again has read before an erasure that ends is recorded under a pseudonym', async ({ db }) => {
  await payUnderFirstRule(db, -60_000)
  let isErased = false
  let reads = 0
  const erasing = pausingAfterKnown(db, async () => {
    // The first attempt finds that it must lock the order too.
    if (++reads === 2) isErased = (await erase(db, PERSON)).status === 'completed'
  })
  await settlePageAgain(erasing, FIRST, newTombstones())
  expect(isErased).toBe(true)
  await expectErased(db)
})
