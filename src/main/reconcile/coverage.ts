import type { TimelineState } from '../../store/log/timeline.ts'
import type { Comparison } from './compare.ts'

/** Commits were lost before the change was noticed: a standby was behind, and nothing was recorded until it took over. */
const BEFORE_NOTICED_MS = 10 * 60_000

/**
 * Why nothing can be said about the calls that a changed timeline may have lost, although none was found missing; undefined when it can be said. Restate
 * forgets calls, and knows none when it is new.
 */
export function gapIn(
  { compared, fromMs, toMs, lost }: Pick<Comparison, 'compared' | 'fromMs' | 'toMs' | 'lost'>,
  { isChanged, noticedSeconds, found }: TimelineState,
): string | undefined {
  if (!isChanged || lost.length > 0) return undefined
  const from = new Date(fromMs).toISOString()
  const noticedMs = toMs - (noticedSeconds ?? 0) * 1_000
  const reachesBack = fromMs <= noticedMs - BEFORE_NOTICED_MS
  if (reachesBack && compared > 0) return undefined
  if (found?.calls === 0) return undefined
  if (found !== undefined && !reachesBack)
    return `On ${found.comparedAt.toISOString()} PostgreSQL lacked ${found.calls} of the calls that Restate had completed by then, and Restate has forgotten them since`
  if (compared === 0)
    return `Restate remembers no call since ${from}: it is new, or nothing was recorded, and nothing could be compared`
  return `The change of the timeline was noticed on ${new Date(noticedMs).toISOString()}, and calls before ${from} were not compared`
}
