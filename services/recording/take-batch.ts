import { type Context, rpc } from '@restatedev/restate-sdk'
import type { RecordedBatch } from '../../src/contract/recorded-batch.ts'
import type { Database } from '../../src/store/database/connection.ts'
import type { BatchRef } from '../../src/store/log/batch.ts'
import { type GroupSize, LOST } from '../../src/store/log/group.ts'
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
  take: (db: Database, batch: BatchRef) => Promise<GroupSize | typeof LOST>
  /** Whether a group has taken the batch along. */
  isTaken: (db: Database, batch: BatchRef) => Promise<boolean>
  /** Sends the message again. */
  sendAgain: (ctx: Context, message: RecordedBatch, options: SendOptions) => void
}

/**
 * Counts or feeds the batch of a message. While PostgreSQL is away, Restate repeats the first messages, and further ones are sent again with
 * a delay, because a delayed message holds no place. The message of a lost batch ends here: a further attempt would not find the batch either, and
 * its invocation would be paused and wait for an operator.
 */
export async function takeBatch(
  deps: Deps,
  ctx: Context,
  message: RecordedBatch,
  { step, target, take, isTaken, sendAgain }: Taking,
): Promise<void> {
  const batch = { batchId: message.batch_id, call: message.call }
  const takeBatchOnce = async () => {
    const takeIt = () => take(deps.background, batch)
    // Only this choice depends on the bounds of the message; the batch itself has those of its events.
    const isWideBatch = isWide(message)
    // Most wide batches wait while a group takes them along. Their messages need no turn.
    if (isWideBatch && (await isTaken(deps.background, batch))) return
    const group = await (isWideBatch ? deps.countingWide(takeIt) : takeIt())
    if (group === LOST) {
      ctx.console.warn('lost: the log has no batch with this id and call', { target, ...message })
      deps.observer.batchLost(target)
    } else if (group.batches > 0) deps.observer.groupCounted(target, group)
  }
  const places = deps.waitingCalls.background
  const left = await ctx.run(step, () => places.attempt(ctx.request().id.toString(), takeBatchOnce, () => LEFT))
  if (left === LEFT) sendAgain(ctx, message, rpc.sendOpts({ delay: AGAIN_MS * (1 + ctx.rand.random()) }))
}

/** In the journal in place of nothing, which the step of a message that is done returns. */
const LEFT = 'left its place'
