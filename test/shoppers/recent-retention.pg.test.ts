import { sql } from 'kysely'
import { expect } from 'vitest'
import { DAY_MS } from '../../src/contract/fields/time.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { makePartitions, monthOf } from '../../src/store/log/month.ts'
import { dropOldMonths } from '../../src/store/log/retention.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { recentEventsOf } from '../../src/store/shoppers/shopper-recent.ts'
import { sweepRecent } from '../../src/store/shoppers/sweep-recent.ts'
import { freshPgTest as test } from '../harness/fixtures.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'

const DAYS = 32
const ago = (days: number) => Date.now() - days * DAY_MS

async function rowsOf(db: Database): Promise<string[]> {
  const { rows } = await sql<{ product: string }>`
    select shopper_id || ' ' || product_id as product from shopper_recent order by 1`.execute(db)
  return rows.map(({ product }) => product)
}

test('a recent event goes with its month: from reads and the proof at once, and from the table with the next sweep', async ({
  db,
}) => {
  await makePartitions(db, [monthOf(ago(150))])
  const events = ['a', 'b'].flatMap((accountId) => [
    interaction({ accountId, refId: 'new', occurredAtMs: ago(1) }),
    interaction({ accountId, refId: 'old', occurredAtMs: ago(150) }),
  ])
  await recordAndCount(db, events)
  await sweepRecent(db)
  expect(await rowsOf(db)).toHaveLength(4)
  await dropOldMonths(db, DAYS)
  expect((await recentEventsOf(db, ['account:a'])).map(({ productId }) => productId)).toEqual(['new'])
  expect((await verify(db)).drift).toEqual([])
  await sweepRecent(db)
  expect(await rowsOf(db)).toEqual(['account:a new', 'account:b new'])
  expect((await verify(db)).drift).toEqual([])
  await sql`update shopper_recent set product_id = 'changed' where shopper_id = 'account:b'`.execute(db)
  expect((await verify(db)).drift).toMatchObject([{ aggregate: 'shopper_recent', column: 'product_id', stored: 'changed' }])
})

test('a sweep goes through more shoppers than one statement looks at, and once for each horizon', async ({ db }) => {
  await sql`
    insert into shopper_recent (shopper_id, occurred_at, event_id, product_id, event_type)
    select 'session:' || n, case when n % 2 = 0 then now() else now() - interval '200 days' end, gen_random_uuid(), 'p', 'view'
    from generate_series(1, 25000) n`.execute(db)
  await makePartitions(db, [monthOf(ago(200))])
  await sweepRecent(db)
  expect(await rowsOf(db)).toHaveLength(25_000)
  await dropOldMonths(db, DAYS)
  await sweepRecent(db)
  expect(await rowsOf(db)).toHaveLength(12_500)
  await sql`insert into shopper_recent (shopper_id, occurred_at, event_id, product_id, event_type)
    values ('session:late', now() - interval '200 days', gen_random_uuid(), 'p', 'view')`.execute(db)
  await sweepRecent(db)
  expect(await rowsOf(db)).toHaveLength(12_501)
})
