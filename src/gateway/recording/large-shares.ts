import type { CallerShares } from '../http/caller-shares.ts'

/**
 * The next large request of a caller that is alone is judged while less is being recorded: several full flushes. With the largest
 * request it is still well below what may wait, so that no request is judged and then turned away.
 */
const EVENTS_MAX = 20_000
const BYTES_MAX = 8 * 1024 * 1024

export interface Size {
  events: number
  bytes: number
}

/** The places of callers for large requests, each from when it is judged until it is answered. */
export interface LargeShares extends CallerShares {
  /** Counts a judged request as being recorded. @returns a function that ends it; a second call does nothing. */
  open: (id: string, size: Size) => () => void
}

interface Share extends Size {
  isJudging: boolean
  requests: number
}

/** One large request of a caller is judged at a time, and next to other callers also recorded. */
export function createLargeShares(hasOthers: (id: string) => boolean): LargeShares {
  const lines: (() => void)[] = []
  const byCaller = new Map<string, Share>()
  const shareOf = (id: string) => {
    const share = byCaller.get(id) ?? { isJudging: false, requests: 0, events: 0, bytes: 0 }
    byCaller.set(id, share)
    return share
  }
  const add = (id: string, { events, bytes }: Size, sign: 1 | -1) => {
    const share = shareOf(id)
    share.requests += sign
    share.events += sign * events
    share.bytes += sign * bytes
  }
  const startNext = (id: string) => {
    for (const start of lines) start()
    const { isJudging, requests } = shareOf(id)
    if (!isJudging && requests === 0) byCaller.delete(id)
  }

  return {
    hasFree: ({ id }) => {
      const { isJudging, requests, events, bytes } = shareOf(id)
      return !isJudging && (requests === 0 || (!hasOthers(id) && events < EVENTS_MAX && bytes < BYTES_MAX))
    },
    take: ({ id }) => {
      shareOf(id).isJudging = true
    },
    give: ({ id }) => {
      shareOf(id).isJudging = false
      startNext(id)
    },
    join: (line) => void lines.push(line),
    open: (id, size) => {
      add(id, size, 1)
      let isOpen = true
      return () => {
        if (!isOpen) return
        isOpen = false
        add(id, size, -1)
        startNext(id)
      }
    },
  }
}
