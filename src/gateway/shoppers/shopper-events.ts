import { type Shopper, shopperIdOf } from '../../contract/fields/shopper-id.ts'
import type { LiveEvents } from '../../external/live-events.ts'
import type { ShopperEvent } from '../../ranking/shopper-event.ts'
import { recentEventsOf } from '../../store/shoppers/shopper-recent.ts'
import { shopperIdsOf } from '../../store/shoppers/shopper-redirect.ts'
import type { CatalogEntries } from '../caching/catalog-entries.ts'
import type { ReadLines } from '../caching/read-lines.ts'
import type { TaskCaller } from '../http/caller-shares.ts'
import { unlessAway } from './unless-away.ts'

export interface ShopperReadDeps {
  lines: Pick<ReadLines, 'short'>
  live: LiveEvents
  catalogEntries: CatalogEntries
}

/** What a shopper did last, from both layers. */
export interface ShopperEvents {
  events: ShopperEvent[]
  /** Whether a layer did not answer, so that events may be missing. */
  isPartial: boolean
}

/**
 * The union of the events that are fed and the live ones, by event id. Of an event in both, the fed one stays: it has category and brand as
 * of its recording. While PostgreSQL is away, the live ones alone.
 */
export async function readShopperEvents(deps: ShopperReadDeps, shopper: Shopper, caller: TaskCaller): Promise<ShopperEvents> {
  const fed = await readFed(deps, shopper, caller)
  const live = await deps.live.read(fed?.shopperIds ?? [shopperIdOf(shopper)])
  const ids = new Set(fed?.events.map(({ eventId }) => eventId))
  const added = (live ?? []).filter(({ eventId }) => !ids.has(eventId))
  const described = await Promise.all(added.map((event) => withEntry(deps, event, fed !== undefined)))
  return { events: [...(fed?.events ?? []), ...described], isPartial: fed === undefined || live === undefined }
}

/** Undefined while PostgreSQL does not answer. */
function readFed({ lines }: ShopperReadDeps, shopper: Shopper, caller: TaskCaller) {
  const read = lines.short.read(caller, async (db) => {
    const shopperIds = await shopperIdsOf(db, shopper)
    return { shopperIds, events: await recentEventsOf(db, shopperIds) }
  })
  return unlessAway(read)
}

/** A live event was perhaps kept before its product was known here. While PostgreSQL is away nothing more becomes known. */
async function withEntry({ catalogEntries }: ShopperReadDeps, event: ShopperEvent, canLoad: boolean): Promise<ShopperEvent> {
  if (event.category !== undefined || event.brand !== undefined) return event
  const entry = canLoad ? await catalogEntries.load(event.productId) : catalogEntries.known(event.productId)
  return { ...event, ...entry }
}
