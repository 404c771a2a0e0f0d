import { LRUCache } from 'lru-cache'
import type { CatalogEntry } from '../../store/catalog/catalog-entry.ts'

/** What the catalog says about products, as far as this process has read it. */
export interface CatalogEntries {
  /** The entry that was read last; undefined when none was. It is read again in the background when it is a minute old. */
  known: (productId: string) => CatalogEntry | undefined
  /** The entry, from the database when it is not known. Undefined when the database does not answer, or too many wait for it. */
  load: (productId: string) => Promise<CatalogEntry | undefined>
}

/** The entries of the products that the database has. */
type Read = (productIds: readonly string[]) => Promise<ReadonlyMap<string, CatalogEntry>>

const FRESH_MS = 60_000
/** Some 50,000 products with usual ids. */
const CACHE_BYTES_MAX = 16 * 1024 * 1024
const ENTRY_BYTES = 250
const READ_PRODUCTS_MAX = 1_000
const WAITING_MAX = 10_000

/** Of a product that the catalog does not have. */
const NOTHING: CatalogEntry = {}

interface Kept {
  entry: CatalogEntry
  readMs: number
}

/** One read at a time, of all products that wait for one, so that a burst of unknown products takes one connection. */
export function createCatalogEntries(read: Read, now: () => number = Date.now): CatalogEntries {
  const cache = new LRUCache<string, Kept>({ maxSize: CACHE_BYTES_MAX })
  const waiting = new Map<string, PromiseWithResolvers<CatalogEntry | undefined>>()
  let isReading = false

  const readWaiting = async () => {
    if (isReading) return
    isReading = true
    while (waiting.size > 0) {
      const ids = Array.from(waiting.keys()).slice(0, READ_PRODUCTS_MAX)
      const found = await read(ids).catch(() => undefined)
      for (const id of ids) {
        const entry = found && (found.get(id) ?? NOTHING)
        if (entry !== undefined) cache.set(id, { entry, readMs: now() }, { size: bytesOf(id, entry) })
        waiting.get(id)!.resolve(entry)
        waiting.delete(id)
      }
    }
    isReading = false
  }

  const readSoon = (productId: string): Promise<CatalogEntry | undefined> => {
    const known = waiting.get(productId)
    if (known !== undefined) return known.promise
    if (waiting.size >= WAITING_MAX) return Promise.resolve(undefined)
    const added = Promise.withResolvers<CatalogEntry | undefined>()
    waiting.set(productId, added)
    // After the requests of this turn of the event loop.
    setImmediate(() => void readWaiting())
    return added.promise
  }

  const known = (productId: string): CatalogEntry | undefined => {
    const kept = cache.get(productId)
    if (kept !== undefined && now() - kept.readMs > FRESH_MS) void readSoon(productId)
    return kept?.entry
  }

  return { known, load: async (productId) => known(productId) ?? readSoon(productId) }
}

function bytesOf(id: string, { category = '', brand = '' }: CatalogEntry): number {
  return ENTRY_BYTES + 2 * (id.length + category.length + brand.length)
}
