import { LRUCache } from 'lru-cache'

/** Bounds how often something is tried in a minute, by address or key. Counts in this process only, as the rates of requests do. */
export interface Tries {
  /** Counts a try. @returns false when there were too many in this minute. */
  take: (id: string) => boolean
  /** Takes a try back, because it was right. */
  giveBack: (id: string) => void
}

const MINUTE_MS = 60_000
const IDS_MAX = 50_000

export function createTries(perMinute: number, now: () => number = Date.now): Tries {
  const known = new LRUCache<string, { minute: number; tries: number }>({ max: IDS_MAX })
  const thisMinute = () => Math.floor(now() / MINUTE_MS)
  const of = (id: string) => {
    const minute = thisMinute()
    const before = known.get(id)
    return before?.minute === minute ? before : { minute, tries: 0 }
  }
  return {
    take: (id) => {
      const taken = of(id)
      if (taken.tries >= perMinute) return false
      taken.tries++
      known.set(id, taken)
      return true
    },
    giveBack: (id) => {
      const taken = of(id)
      if (taken.tries > 0) taken.tries--
    },
  }
}
