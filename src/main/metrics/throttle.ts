/** Scrapers within this time share an answer. */
const SHARED_MS = 5_000

/** A scrape times out after 10 s and must not fail because one source does not answer. */
const ANSWER_MS_MAX = 3_000

export interface ThrottledQuery<T> {
  /** The last answer, at most 5 s old; undefined while the source does not answer. Never throws. */
  ask: () => Promise<T | undefined>
}

/** Runs a query once per 5 s at most, however many callers ask. */
export function throttled<T>(query: () => Promise<T>, onFailed: () => void): ThrottledQuery<T> {
  let current: { answer: Promise<T | undefined>; askedAt: number } | undefined
  const askNow = async () => {
    const { promise: tooLate, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => reject(new Error('not answered in time')), ANSWER_MS_MAX)
    try {
      return await Promise.race([query(), tooLate])
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
      if (current === undefined || now - current.askedAt > SHARED_MS) current = { answer: askNow(), askedAt: now }
      return current.answer
    },
  }
}
