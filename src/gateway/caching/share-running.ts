/** Whoever asks while an answer is being made gets that one, and so does who asks soon after it was begun. */
export function shareRunning<T>(make: () => Promise<T>, keepMs = 0): () => Promise<T> {
  let shared: { answer: Promise<T>; sinceMs: number; isRunning: boolean } | undefined
  return () => {
    const isGood = shared !== undefined && (shared.isRunning || performance.now() - shared.sinceMs < keepMs)
    if (!isGood) {
      const made = { answer: make(), sinceMs: performance.now(), isRunning: true }
      shared = made
      void made.answer.catch(() => undefined).finally(() => (made.isRunning = false))
    }
    return shared!.answer
  }
}
