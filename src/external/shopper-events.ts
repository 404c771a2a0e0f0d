import { setTimeout as sleep } from 'node:timers/promises'
import { type Shopper, shopperIdOf } from '../contract/fields/shopper-id.ts'
import type { ShopperEvent } from '../ranking/shopper-event.ts'
import type { LiveEvents } from './live-events.ts'

/** What PostgreSQL has of a shopper. */
export interface FedEvents {
  /** The ids under which the shopper's events are kept. */
  shopperIds: readonly string[]
  events: readonly ShopperEvent[]
}

/** What the catalog says about a product. */
type Entry = Pick<ShopperEvent, 'category' | 'brand'>

/** Where the events of shoppers are. */
export interface ShopperLayers {
  /** Undefined while PostgreSQL does not answer. */
  fed: (shopper: Shopper) => Promise<FedEvents | undefined>
  live: Pick<LiveEvents, 'read'>
  /** What the catalog says about these products; `canLoad` is false while PostgreSQL does not answer. Products may be missing. */
  entriesOf: (productIds: readonly string[], canLoad: boolean) => Promise<ReadonlyMap<string, Entry>>
}

/** What a shopper did last, from both layers. */
export interface ShopperEvents {
  events: ShopperEvent[]
  /** Whether a layer did not answer, so that events may be missing. */
  isPartial: boolean
}

/** How long a read waits for PostgreSQL before it goes on with the live events alone. Usually it takes a few ms. */
const PATIENCE_MS = 1_000

/**
 * The union of the events that are fed and the live ones, by event id. Of an event in both, the fed one stays: it has category and brand as
 * of its recording. While PostgreSQL is away, the live ones alone.
 */
export async function readShopperEvents(layers: ShopperLayers, shopper: Shopper): Promise<ShopperEvents> {
  const fed = await withPatience(layers.fed(shopper))
  const live = await layers.live.read(fed?.shopperIds ?? [shopperIdOf(shopper)])
  const ids = new Set(fed?.events.map(({ eventId }) => eventId))
  const added = (live ?? []).filter(({ eventId }) => !ids.has(eventId))
  const described = await withEntries(layers, added, fed !== undefined)
  return { events: [...(fed?.events ?? []), ...described], isPartial: fed === undefined || live === undefined }
}

async function withPatience<Answer>(read: Promise<Answer>): Promise<Answer | undefined> {
  const done = new AbortController()
  const late = sleep(PATIENCE_MS, undefined, { signal: done.signal }).catch(() => undefined)
  // After the deadline nothing else handles its failure.
  read.catch(() => undefined)
  try {
    return await Promise.race([read, late])
  } finally {
    done.abort()
  }
}

/** A live event was perhaps kept before its product was known to its gateway. */
async function withEntries({ entriesOf }: ShopperLayers, events: ShopperEvent[], canLoad: boolean): Promise<ShopperEvent[]> {
  const isBare = ({ category, brand }: ShopperEvent) => category === undefined && brand === undefined
  const productIds = new Set(events.filter(isBare).map(({ productId }) => productId))
  if (productIds.size === 0) return events
  const entries = await entriesOf([...productIds], canLoad)
  return events.map((event) => (isBare(event) ? { ...event, ...entries.get(event.productId) } : event))
}
