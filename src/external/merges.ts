import { LRUCache } from 'lru-cache'
import { HOUR_MS } from '../contract/fields/time.ts'
import { SESSIONS_MAX } from '../ranking/shopper-event.ts'

/** The merges that this process has seen, by shopper ids. */
export interface Merges {
  add: (session: string, account: string) => void
  /** These shoppers, their accounts, and the sessions of all of them; each once. */
  withMerged: (shopperIds: readonly string[]) => string[]
  forget: (shopperId: string) => void
  /** What they take, estimated. */
  bytes: () => number
}

/** PostgreSQL has the merges; these are for the time when it is away. As long as in Redis. */
export const MERGE_MS = 24 * HOUR_MS
/** What an entry takes without its texts. */
const ENTRY_BYTES = 200

/** The merges that were used last, in so many bytes. */
export function createMerges(bytesMax: number): Merges {
  const bounds = { maxSize: Math.ceil(bytesMax / 2), ttl: MERGE_MS }
  const accounts = new LRUCache<string, string>({ ...bounds, sizeCalculation: (account, session) => bytesOf([account, session]) })
  const sessions = new LRUCache<string, readonly string[]>({
    ...bounds,
    sizeCalculation: (ids, account) => bytesOf([...ids, account]),
  })

  const idsOf = (shopperId: string): readonly string[] => {
    const account = accounts.get(shopperId) ?? shopperId
    return [shopperId, account, ...(sessions.get(account) ?? [])]
  }

  return {
    add: (session, account) => {
      if (accounts.has(session)) return
      accounts.set(session, account)
      sessions.set(account, [session, ...(sessions.get(account) ?? [])].slice(0, SESSIONS_MAX))
    },
    withMerged: (shopperIds) => [...new Set(shopperIds.flatMap(idsOf))],
    forget: (shopperId) => {
      for (const session of sessions.get(shopperId) ?? []) accounts.delete(session)
      sessions.delete(shopperId)
      const account = accounts.get(shopperId)
      accounts.delete(shopperId)
      if (account === undefined) return
      sessions.set(
        account,
        (sessions.get(account) ?? []).filter((session) => session !== shopperId),
      )
    },
    bytes: () => accounts.calculatedSize + sessions.calculatedSize,
  }
}

function bytesOf(ids: readonly string[]): number {
  return ids.reduce((sum, id) => sum + 2 * id.length + 16, ENTRY_BYTES)
}
