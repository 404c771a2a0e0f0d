/** Shares one answer among the callers that arrive while it is made, and for `keepMs` after its start. */
export function shareRunning<T>(make: () => Promise<T>, keepMs = 0): () => Promise<T> {
  let shared: { answer: Promise<T>; sinceMs: number; isRunning: boolean } | undefined
  return () => {
    const isShared = shared !== undefined && (shared.isRunning || performance.now() - shared.sinceMs < keepMs)
    if (!isShared) {
      const made = { answer: make(), sinceMs: performance.now(), isRunning: true }
      shared = made
      void made.answer.catch(() => undefined).finally(() => (made.isRunning = false))
    }
    return shared!.answer
  }
}
