import { sql } from 'kysely'
import type { NewInteraction } from '../../../src/admission/interaction.ts'
import { DAY_MS } from '../../../src/contract/fields/time.ts'
import { VERSION_DEFAULTS, type VersionSettings } from '../../../src/ranking/similarity/version-settings.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { makeVersion } from '../../../src/store/similarity/make-version.ts'
import { completeSimilarityRun } from '../../../src/store/similarity/run-machine.ts'
import { interaction, record } from './events.ts'
import { product, upsert } from './products.ts'
import { similarityInProcess } from './similarity-in-process.ts'
import { beginRunOf } from './similarity.ts'

/** The day on which the shoppers come. */
export const FROM_MS = Math.floor(Date.now() / DAY_MS - 10) * DAY_MS

/** Makes a version of the log, with the default bounds but for these, and puts it in force. */
export async function makeInForce(db: Database, changes: Partial<VersionSettings> = {}): Promise<number> {
  const runId = await beginRunOf(db)
  const version = (await makeVersion(db, runId, { ...VERSION_DEFAULTS, ...changes }, similarityInProcess))!
  await completeSimilarityRun(db, runId, version)
  return version
}

/** Shoppers that went through the shelves, with purchases in orders, and a catalog in which some products are alike. */
export async function recordShop(db: Database): Promise<void> {
  const events: NewInteraction[] = []
  for (let shopper = 0; shopper < 30; shopper++) {
    for (let step = 0; step < 8; step++) {
      const bought = (shopper + step) % 3 === 0
      events.push(
        interaction({
          ...(shopper % 4 === 0 ? { accountId: null, sessionId: `s${shopper}` } : { accountId: `a${shopper}` }),
          refId: `p${(shopper * 7 + step * step) % 25}`,
          eventType: bought ? 'purchase' : 'view',
          occurredAtMs: FROM_MS + shopper * 1_000_000 + step * 60_000,
          metadata: bought ? { order_id: `o${shopper}` } : undefined,
        }),
      )
    }
  }
  await record(db, events)
  const products = Array.from({ length: 100 }, (_, n) =>
    product({ product_id: `p${n}`, category: `shop/shelf ${n % 40}`, brand: `brand ${n % 33}` }),
  )
  await upsert(db, products)
  await sql`insert into shopper_redirect (session_id, account_id) values ('s0', 'a1')`.execute(db)
}
