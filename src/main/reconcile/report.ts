import type { LostFound } from '../../store/log/timeline.ts'
import type { Comparison, LostCall } from './compare.ts'

/** The lost calls in numbers. */
export function summaryOf({ lost }: Pick<Comparison, 'lost'>): LostFound {
  const completed = lost.flatMap(({ parts }) => parts.map(({ completedAt }) => Date.parse(completedAt)))
  const byHandler: Record<string, number> = {}
  for (const call of lost) byHandler[handlerOf(call)] = (byHandler[handlerOf(call)] ?? 0) + 1
  const instant = (ms: number) => (Number.isFinite(ms) ? new Date(ms) : null)
  const extreme = (pick: (one: number, other: number) => number, start: number) => instant(completed.reduce(pick, start))
  return {
    calls: lost.length,
    from: extreme((one, other) => Math.min(one, other), Infinity),
    to: extreme((one, other) => Math.max(one, other), -Infinity),
    byHandler: Object.fromEntries(Object.entries(byHandler).toSorted(([one], [other]) => one.localeCompare(other))),
  }
}

/** The handler that was called; of a call that Restate has forgotten, the one that recorded it. */
function handlerOf({ id, parts }: LostCall): string {
  const { service, handler } = parts.find((part) => part.id === id) ?? parts[0]!
  return `${service}.${handler}`
}
