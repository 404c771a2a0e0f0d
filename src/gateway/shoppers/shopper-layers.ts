import { DecidedError } from '../../contract/decided-error.ts'
import type { LiveEvents } from '../../external/live-events.ts'
import type { ShopperLayers } from '../../external/shopper-events.ts'
import { isUnavailable } from '../../store/database/sql-state.ts'
import { fedEventsOf } from '../../store/shoppers/fed-events.ts'
import type { CatalogEntries } from '../caching/catalog-entries.ts'
import type { ReadLines } from '../caching/read-lines.ts'
import type { TaskCaller } from '../http/caller-shares.ts'

export interface ShopperReadDeps {
  lines: Pick<ReadLines, 'short'>
  live: LiveEvents
  catalogEntries: CatalogEntries
}

/** Where the gateway reads what shoppers did last, for one caller. */
export function shopperLayersOf({ lines, live, catalogEntries }: ShopperReadDeps, caller: TaskCaller): ShopperLayers {
  return {
    fed: (shopper) => lines.short.read(caller, (db) => fedEventsOf(db, shopper)).catch(undefinedWhenAway),
    live,
    entriesOf: async (productIds, canLoad) => {
      const entryOf = canLoad ? catalogEntries.load : catalogEntries.known
      return new Map(await Promise.all(productIds.map(async (id) => [id, (await entryOf(id)) ?? {}] as const)))
    },
  }
}

/** A line that is full, or a wait in it that was too long, is no answer of PostgreSQL, too. */
function undefinedWhenAway(error: unknown): undefined {
  if (isUnavailable(error) || (error instanceof DecidedError && error.code === 'unavailable')) return undefined
  throw error
}
