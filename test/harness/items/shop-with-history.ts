import { refreshRising } from '../../../src/store/popularity/rising.ts'
import { VERSION_DEFAULTS, type VersionSettings } from '../../../src/ranking/similarity/version-settings.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { makeVersion } from '../../../src/store/similarity/make-version.ts'
import { completeSimilarityRun } from '../../../src/store/similarity/run-machine.ts'
import { interaction, recordAndCount } from './events.ts'
import { product, upsert } from './products.ts'
import { similarityInProcess } from './similarity-in-process.ts'
import { beginRunOf } from './similarity.ts'

/** Products of the shop: p00 to p39. The product n is of category c(n % 10), brand b(n % 5) and seller s(n % 2), and costs 10 + n €. */
export const SHOP_PRODUCTS = 40
const SHOPPERS = 30
const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

export const idOf = (n: number): string => `p${String(n % SHOP_PRODUCTS).padStart(2, '0')}`

export function shopProduct(n: number, changes: Parameters<typeof product>[0] = {}) {
  return product({
    product_id: idOf(n),
    name: `Product ${n}`,
    category: `c${n % 10}`,
    brand: `b${n % 5}`,
    seller_id: `s${n % 2}`,
    price: 1_000 + 100 * n,
    currency: 'EUR',
    quantity: 20,
    ...changes,
  })
}

/** Stores the catalog and what shoppers did two days ago: the shopper s viewed the products s to s + 5, one a minute. */
export async function storeShop(db: Database): Promise<void> {
  await upsert(
    db,
    Array.from({ length: SHOP_PRODUCTS }, (_, n) => shopProduct(n)),
  )
  const startMs = Date.now() - 2 * DAY_MS
  const events = Array.from({ length: SHOPPERS }, (_, shopper) =>
    Array.from({ length: 6 }, (_step, step) =>
      interaction({
        refId: idOf(shopper + step),
        accountId: null,
        sessionId: `shopper-${shopper}`,
        occurredAtMs: startMs + (10 * shopper + step) * MINUTE_MS,
      }),
    ),
  )
  await recordAndCount(db, events.flat())
  await refreshRising(db, Date.now())
}

/** Records, counts and feeds views of a shopper, one a minute, the last one a minute ago. */
export async function viewed(
  db: Database,
  shopper: { accountId: string } | { sessionId: string },
  productIds: readonly string[],
  changes: Parameters<typeof interaction>[0] = {},
): Promise<void> {
  const nowMs = Date.now()
  const events = productIds.map((refId, at) =>
    interaction({
      accountId: null,
      ...shopper,
      refId,
      occurredAtMs: nowMs - (productIds.length - at) * MINUTE_MS,
      ...changes,
    }),
  )
  await recordAndCount(db, events)
}

/** Makes a version from the log, as a run does, and puts it in force. */
export async function versionOfLog(db: Database, changes: Partial<VersionSettings> = {}): Promise<number> {
  const runId = await beginRunOf(db)
  const settings = { ...VERSION_DEFAULTS, ...changes }
  const version = await makeVersion(db, runId, settings, similarityInProcess)
  if (version === undefined) throw new Error('the run has ended')
  await completeSimilarityRun(db, runId, version)
  return version
}
