import type { ObjectContext } from '@restatedev/restate-sdk'
import { type LogEnd, noteComparison, noticeChange, timelineState } from '../../src/store/log/timeline.ts'
import { isDenied } from '../../src/store/database/sql-state.ts'
import type { Deps, Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

/** Restate forgets calls after an hour. A later comparison would find fewer, although none came back. */
const COMPARED_SECONDS = 40 * 60
/** The state of the task, which Restate keeps: it does not go back together with PostgreSQL. */
const LOG_END = 'log end'

export const WATCH_TIMELINE: Task = {
  description:
    'after a failover or a restore of PostgreSQL, looks for calls that it lost, until `./footfall reconcile` finds nothing missing',
  everyMs: 60_000,
  isOn: () => true,
  run: watchTimeline,
}

async function watchTimeline({ background, findLostCalls }: Deps, ctx: ObjectContext): Promise<void> {
  const before = await ctx.get<LogEnd>(LOG_END)
  const end = await step(ctx, 'notice another timeline', () => noticeChange(background, before).catch(nullIfDenied))
  if (end === null) return
  ctx.set(LOG_END, end)
  await step(ctx, 'compare with Restate', async () => {
    const { isChanged, noticedSeconds, found } = await timelineState(background)
    const isOver = found !== undefined && (noticedSeconds ?? 0) > COMPARED_SECONDS
    if (!isChanged || isOver || findLostCalls === undefined) return
    const lost = await findLostCalls()
    // Restate forgets a call that reconcile --repair could not bring back, and it is lost all the same.
    if (found === undefined || lost.calls > found.calls) await noteComparison(background, lost)
  })
}

/** Before `migrate --role` lets this process read it. */
function nullIfDenied(error: unknown): null {
  if (isDenied(error)) return null
  throw error
}
