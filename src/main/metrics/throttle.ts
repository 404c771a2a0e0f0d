/** Scrapers that come within this time share an answer. */
const KEPT_MS = 5_000

/** A scrape ends after 10 s, and must not fail because one of its questions is not answered. */
const ANSWER_MS_MAX = 3_000

export interface Asked<T> {
  /** What was answered, at most a few seconds ago; undefined while it cannot be. Never throws. */
  ask: () => Promise<T | undefined>
}

/** Asks at most once at a time and once in a few seconds, however many want to know. */
export function throttled<T>(question: () => Promise<T>, onFailed: () => void): Asked<T> {
  let current: { answer: Promise<T | undefined>; askedAt: number } | undefined
  const askNow = async () => {
    const { promise: tooLate, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => reject(new Error('not answered in time')), ANSWER_MS_MAX)
    try {
      return await Promise.race([question(), tooLate])
    } catch {
      onFailed()
      return undefined
    } finally {
      clearTimeout(timer)
    }
  }
  return {
    ask: () => {
      const now = performance.now()
      if (current === undefined || now - current.askedAt > KEPT_MS) current = { answer: askNow(), askedAt: now }
      return current.answer
    },
  }
}
