import { type ObjectContext, rpc } from '@restatedev/restate-sdk'
import { DecidedError } from '../src/contract/decided-error.ts'
import { rejectedIdOf, type ReplayRejectedResponse } from '../src/contract/rejected.ts'
import { replayRunApi } from '../src/contract/services.ts'
import { callOf } from '../src/store/log/call.ts'
import { findReplayRun } from '../src/store/log/replay-run-list.ts'
import {
  abandonReplayRun,
  advanceReplayRun,
  beginReplayRun,
  cancelReplayRun,
  completeReplayRun,
  failReplayRun,
  type ReplayPage,
  replayPage,
  type ReplayTally,
  requestReplayRun,
} from '../src/store/log/replay-run-machine.ts'
import type { Deps } from './handler/deps.ts'
import { BACKGROUND } from './handler/handler-options.ts'
import { objectOf } from './handler/with-options.ts'
import { fanOutReplay, type JournalledReplay, replayItem } from './recording/replay-rejected.ts'
import { failingRun, runHandlers } from './recording/run-handlers.ts'
import { SILENT_MS } from './tasks/watch-runs.ts'

/*
 * SPEC of a run: what each command makes of each state.
 *
 *             Start     begin     advance²  complete³  fail      Cancel      Abandon
 * (none)      pending¹  –         –         –          –         404         –
 * pending     itself    running   –         –          failed    cancelled   –
 * running     itself    itself    running   completed  failed    cancelled   failed⁴
 * completed   itself    –         –         –          –         409         –
 * failed      itself    –         –         –          –         409         –
 * cancelled   itself    –         –         –          –         itself      –
 *
 * – changes nothing and writes nothing. ¹ 409 if another run of the code is open. ² After each page. ³ After the last page.
 * ⁴ When it did nothing for a minute.
 *
 * 1. Nothing leaves a final state. Enforced by `TRANSITIONS` in src/store/log/replay-run-machine.ts, as the condition of the statement that
 *    changes the row.
 * 2. Each transition but `advance` writes one audit entry, in the transaction of the change, by the call that changed the row. Each event that
 *    is replayed has an entry of its own.
 * 3. At most one run of a code is open: the partial unique index replay_run_open. A repeated Start finds its own row.
 * 4. A run replays the events that there are when it begins, so one that is rejected again is not replayed again by it. The keys of a page are in the
 *    journal before the first of them is replayed. Each event is replayed by a call that follows from the run and the event: a repeated or
 *    overlapping attempt finds its own mark, and gives the same outcome.
 * 5. A page counts once, because the update that adds its outcomes also moves the place from which the run goes on.
 * 6. Execute works on a bounded number of events and sends itself the rest, so that no journal grows with their number. It holds the key of its run
 *    while it works; Cancel and Status do not need the key. A cancellation takes effect at the next page.
 * 7. A run does not stay open for ever. If it did nothing for a minute, the task watch-runs sends Execute again to a pending run, and Abandon
 *    to a running one. Both wait for the key. Abandon may come before the rest that Execute sent itself, so it fails only a run that is still
 *    silent: a run that is retried continues, and a run whose invocation was killed fails.
 */

const PAGE_EVENTS = 50
/** Of one invocation of Execute: 1,000 events are up to 2,000 messages in its journal. */
const PAGES = 20

/** ReplayRun: one object per replay of all rejected events of a code. */
export const replayRun = (deps: Deps) => {
  const handlers = runHandlers(deps, {
    noun: 'replay run',
    request: requestReplayRun,
    find: findReplayRun,
    cancel: cancelReplayRun,
    abandon: (db, id) => abandonReplayRun(db, id, SILENT_MS),
    sendExecute: (ctx) => void ctx.sendClient(replayRunApi, ctx.key).Execute({}, rpc.sendOpts({ idempotencyKey: ctx.key })),
  })
  return objectOf(
    replayRunApi,
    deps,
    { retryPolicy: { ...deps.retryPolicy, onMaxAttempts: 'kill' } },
    { ...handlers, Execute: [BACKGROUND, (ctx) => execute(deps, ctx)] },
  )
}

function execute(deps: Deps, ctx: ObjectContext): Promise<void> {
  const { background } = deps
  const fail = (message: string) => failReplayRun(background, ctx.key, message)
  return failingRun(ctx, fail, async () => {
    if (!(await ctx.run('begin the run', () => beginReplayRun(background, ctx.key)))) return
    for (let pages = 0; pages < PAGES; pages++) {
      const page = (await ctx.run('find the next events', () => replayPage(background, ctx.key, PAGE_EVENTS))) ?? null
      if (page === null) return
      if (page.keys.length === 0) {
        await ctx.run('complete the run', () => completeReplayRun(background, ctx.key))
        return
      }
      if (!(await replayAll(deps, ctx, page))) return
    }
    ctx.sendClient(replayRunApi, ctx.key).Execute({}, rpc.sendOpts({}))
  })
}

/** What the journal keeps of the replay of an event; undefined for one that was skipped. */
type Outcome = Pick<JournalledReplay, 'kind' | 'isSearch' | 'batch'> & { outcome: ReplayRejectedResponse['outcome'] }

/** Replays the events of a page. @returns whether the run goes on. */
async function replayAll(deps: Deps, ctx: ObjectContext, { keys, set, actor }: ReplayPage): Promise<boolean> {
  const nowMs = await ctx.date.now()
  const outcomes = await ctx.run('replay the events', async () => {
    const done: (Outcome | null)[] = []
    for (const each of keys) {
      const call = callOf(`replay run ${ctx.key} ${rejectedIdOf(each)}`, Buffer.alloc(0))
      const replay = { key: { ...each, actor }, set, callbacks: undefined, nowMs }
      done.push(await replayItem(deps, call, replay).then(withoutAnswer, skipped))
    }
    return done
  })
  for (const outcome of outcomes) if (outcome !== null) fanOutReplay(ctx, outcome)
  return ctx.run('note the progress', () => advanceReplayRun(deps.background, ctx.key, keys.at(-1)!, tallyOf(outcomes)))
}

function withoutAnswer({ answer: { outcome }, ...replayed }: JournalledReplay): Outcome {
  return { ...replayed, outcome }
}

/** An event that was deleted, or that another call has replayed. */
function skipped(error: unknown): null {
  if (error instanceof DecidedError && (error.code === 'conflict' || error.code === 'not_found')) return null
  throw error
}

function tallyOf(outcomes: readonly (Outcome | null)[]): ReplayTally {
  const count = (wanted: Outcome['outcome'] | undefined) => outcomes.filter((one) => one?.outcome === wanted).length
  return { accepted: count('accepted'), duplicates: count('duplicate'), rejected: count('rejected'), skipped: count(undefined) }
}
