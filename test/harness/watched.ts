/**
 * A promise that a test may leave unsettled. Without it, its deadline passes in a later test of the same process, which is then taken for
 * the one that failed.
 */
export function watched<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}
