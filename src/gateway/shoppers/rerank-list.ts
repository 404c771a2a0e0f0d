import type { NamedShopper } from '../../contract/fields/named-shopper.ts'
import type { Shopper } from '../../contract/fields/shopper-id.ts'
import type { RerankRequest, RerankResponse } from '../../contract/rerank.ts'
import { readShopperEvents } from '../../external/shopper-events.ts'
import { floorOf, type KnownProduct, type RerankSettings } from '../../ranking/recommend/rerank.ts'
import { rerankAnswerOf } from '../../ranking/recommend/rerank-answer.ts'
import type { ContextSettings } from '../../ranking/shopper-context.ts'
import { littleKnown } from '../../store/popularity/little-known.ts'
import { shopperNamed, shopperNamedAlone } from '../../store/shoppers/named-shopper.ts'
import type { TaskCaller } from '../http/caller-shares.ts'
import { shopperLayersOf, type ShopperReadDeps } from './shopper-layers.ts'
import { unlessAway } from './unless-away.ts'

interface RerankDeps extends ShopperReadDeps {
  settings: { rerank: RerankSettings; context: ContextSettings }
}

/** Orders a list by the visit of its shopper. While PostgreSQL is away it goes by what this process and Redis know. */
export async function rerankList(deps: RerankDeps, request: RerankRequest, caller: TaskCaller): Promise<RerankResponse> {
  const productIds = [...new Set(request.items.map(({ product_id }) => product_id))]
  const [{ events, isPartial }, { known, isComplete }] = await Promise.all([
    readNamedShopper(deps, request, caller).then((shopper) => readShopperEvents(shopperLayersOf(deps, caller), shopper)),
    readProducts(deps, { productIds, interactionsMin: floorOf(request, deps.settings.rerank) }, caller),
  ])
  const facts = { events, known, isPartial: isPartial || !isComplete, nowMs: Date.now() }
  return rerankAnswerOf(request, facts, deps.settings)
}

/** With an account and a session, the account, also while PostgreSQL cannot tell whose session it is. */
async function readNamedShopper({ lines }: ShopperReadDeps, named: NamedShopper, caller: TaskCaller): Promise<Shopper> {
  const alone = shopperNamedAlone(named)
  if (alone !== undefined) return alone
  const read = lines.short.read(caller, (db) => shopperNamed(db, named))
  return (await unlessAway(read)) ?? { kind: 'account', id: named.account_id! }
}

interface ReadProducts {
  known: (productId: string) => KnownProduct
  isComplete: boolean
}

interface ProductQuery {
  productIds: readonly string[]
  /** Of products with more, the number is not needed. */
  interactionsMin: number
}

async function readProducts(
  { lines, catalogEntries }: ShopperReadDeps,
  { productIds, interactionsMin }: ProductQuery,
  caller: TaskCaller,
): Promise<ReadProducts> {
  const [counted, categories] = await Promise.all([
    unlessAway(lines.short.read(caller, (db) => littleKnown(db, productIds, interactionsMin))),
    unlessAway(Promise.all(productIds.map(async (id) => [id, (await catalogEntries.load(id))?.category] as const))),
  ])
  const categoryOf = new Map(categories)
  return {
    known: (id) => ({ ...counted?.get(id), category: categoryOf.get(id) ?? catalogEntries.known(id)?.category }),
    isComplete: counted !== undefined && categories !== undefined,
  }
}
