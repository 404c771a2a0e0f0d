import type { HooksProvider } from '@restatedev/restate-sdk'

/**
 * A moment when a crash does the most harm: after the work of a durable step, before Restate has its result (the step's name, e.g.
 * 'record the batch'), or after a handler's last line (`answer of CreateInteraction`).
 */
export type FailPoint = string

export function answerOf(handler: string): FailPoint {
  return `answer of ${handler}`
}

/** Calls `reached` at every fail point of every handler. An error from it fails the step or the attempt. */
export function atFailPoints(reached: (point: FailPoint) => void): HooksProvider {
  return ({ request }) => ({
    interceptor: {
      handler: async (next) => {
        await next()
        reached(answerOf(request.target.handler))
      },
      run: async (name, next) => {
        await next()
        reached(name)
      },
    },
  })
}

/** Fails at each of the points once. `left` has the points that were not reached yet. */
export function failingOnce(): { hook: HooksProvider; left: Set<FailPoint> } {
  const left = new Set<FailPoint>()
  const hook = atFailPoints((point) => {
    if (left.delete(point)) throw new Error(`fails once: ${point}`)
  })
  return { hook, left }
}
