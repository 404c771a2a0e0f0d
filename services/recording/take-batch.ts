import { type Context, rpc } from '@restatedev/restate-sdk'
import type { RecordedBatch } from '../../src/contract/recorded-batch.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { HOUR_MS } from '../../src/contract/fields/time.ts'
import type { BatchBounds, BatchRef } from '../../src/store/log/batch.ts'
import type { GroupSize } from '../../src/store/log/group.ts'
import { LOST } from '../../src/store/log/waiting.ts'
import type { Taken, TakeOptions } from '../../src/store/log/take-waiting.ts'
import { isWide } from '../../src/store/log/wide.ts'
import type { Deps } from '../handler/deps.ts'
import type { Target } from '../handler/observer.ts'

type SendOptions = ReturnType<typeof rpc.sendOpts<RecordedBatch>>

/** A message that must wait comes again after 10 to 20 s, so that those of a long outage do not come together. */
const AGAIN_MS = 10_000

interface Taking {
  /** The name of its step. */
  step: string
  target: Target
  take: (db: Database, batch: BatchRef, options: TakeOptions) => Promise<Taken | typeof LOST>
  /** Whether a group has taken the batch along. */
  isTaken: (db: Database, batch: BatchRef) => Promise<boolean>
  /** Sends the message again. */
  sendAgain: (ctx: Context, message: RecordedBatch, options: SendOptions) => void
}

/**
 * Counts or feeds the batch of a message, and what else waits. While PostgreSQL is away, Restate repeats the first messages, and further ones are
 * sent again with a delay, because a delayed message holds no place. The message of a lost batch ends here: a further attempt would not find the batch
 * either, and its invocation would be paused and wait for an operator. The batch with which the work goes on gets a message, and so does each batch
 * that is left, at most one an hour, and each one that was locked another one later, at most one in ten seconds.
 */
export async function takeBatch(
  deps: Deps,
  ctx: Context,
  message: RecordedBatch,
  { step, target, take, isTaken, sendAgain }: Taking,
): Promise<void> {
  const batch = { batchId: message.batch_id, call: message.call }
  const takeBatchOnce = async (): Promise<LeftBatches | undefined> => {
    const { lightEvents } = deps
    // Only this choice depends on the bounds of the message; the batch itself has those of its events.
    const isWideBatch = isWide(message)
    const options = {
      mayBeLeft: !isWideBatch,
      onGroup: (group: GroupSize) => deps.observer.groupCounted(target, group),
      ...(lightEvents !== undefined && { lightEvents }),
    }
    const takeIt = () => take(deps.background, batch, options)
    // Most wide batches wait while a group takes them along. Their messages need no turn.
    if (isWideBatch && (await isTaken(deps.background, batch))) return undefined
    const taken = await (isWideBatch ? deps.countingWide(takeIt) : takeIt())
    if (taken !== LOST) return leftBy(taken)
    ctx.console.warn('lost: the log has no batch with this id and call', { target, ...message })
    deps.observer.batchLost(target)
    return undefined
  }
  const places = deps.waitingCalls.background
  const left = await ctx.run(step, () => places.attempt(ctx.request().id.toString(), takeBatchOnce, () => LEFT))
  if (left === undefined) return
  if (left === LEFT) return sendAgain(ctx, message, rpc.sendOpts({ delay: againMs(ctx) }))
  if (left.again) sendAgain(ctx, message, rpc.sendOpts({ delay: againMs(ctx) }))
  if (left.next !== undefined) sendAgain(ctx, left.next, rpc.sendOpts({}))
  const nowMs = await ctx.date.now()
  const keyOf = (why: string, each: RecordedBatch, everyMs: number) =>
    `${why} ${target} ${each.batch_id} ${Math.floor(nowMs / everyMs)}`
  for (const each of left.others) sendAgain(ctx, each, rpc.sendOpts({ idempotencyKey: keyOf('left', each, HOUR_MS) }))
  // A key stands for ten seconds and its message comes at least ten seconds later, so that it comes after every holder that sends with that key has ended.
  for (const each of left.locked ?? [])
    sendAgain(ctx, each, rpc.sendOpts({ delay: againMs(ctx), idempotencyKey: keyOf('locked', each, AGAIN_MS) }))
}

function againMs(ctx: Context): number {
  return AGAIN_MS * (1 + ctx.rand.random())
}

/** In the journal in place of nothing, which the step of a message that is done returns. */
const LEFT = 'left its place' as const

interface LeftBatches {
  /** The batch with which the work goes on. */
  next?: RecordedBatch
  others: RecordedBatch[]
  /** Absent in the journal of the release before. */
  locked?: RecordedBatch[]
  /** Whether the message itself comes again later. */
  again?: true
}

/** @returns undefined when nothing is left. */
function leftBy({ next, left = [], locked = [], again }: Taken): LeftBatches | undefined {
  if (next === undefined && left.length === 0 && locked.length === 0 && !again) return undefined
  const sent = { others: left.map(messageOf), locked: locked.map(messageOf) }
  return { ...(next && { next: messageOf(next) }), ...sent, ...(again && { again }) }
}

function messageOf({ batchId, from, to, call }: BatchBounds): RecordedBatch {
  return { batch_id: batchId, from, to, call }
}
