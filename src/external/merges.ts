import { LRUCache } from 'lru-cache'

/** The merges that this process has seen, by shopper ids. */
export interface Merges {
  add: (session: string, account: string) => void
  /** These shoppers, their accounts, and the sessions of all of them; each once. */
  withMerged: (shopperIds: readonly string[]) => string[]
  forget: (shopperId: string) => void
}

/** Of an account: those that were merged last. As many as PostgreSQL adds. */
const SESSIONS_MAX = 100

export function createMerges(max: number): Merges {
  const accounts = new LRUCache<string, string>({ max })
  const sessions = new LRUCache<string, readonly string[]>({ max })

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
  }
}
