import type { Context } from '@restatedev/restate-sdk'
import { judgeInSlices } from '../../src/admission/judge-in-slices.ts'
import { JUDGES } from '../../src/admission/judges.ts'
import type { Judged } from '../../src/admission/judge-each.ts'
import type { NewEventId } from '../../src/admission/logged-event.ts'
import { withPrivacy } from '../../src/admission/privacy.ts'
import type { LogRow, NewRejection, Warning } from '../../src/admission/rows.ts'
import type { CreateInteractionResponse } from '../../src/contract/interaction.ts'
import type { KindWith } from '../../src/contract/kinds.ts'
import { KEPT_SHORT_HEADER, keptShortIn } from '../../src/contract/rejected.ts'
import { type InsertBatch, type RecordedBatchResult, recordRows } from '../../src/store/log/batch.ts'
import { type Call, eventIdFor } from '../../src/store/log/call.ts'
import { INTERACTIONS } from '../../src/store/log/interaction.ts'
import type { LogTable } from '../../src/store/log/log-table.ts'
import { insertReplayOf, type ReplayOf } from '../../src/store/log/rejected-replay.ts'
import { SEARCHES } from '../../src/store/log/search.ts'
import { areWide } from '../../src/store/log/wide.ts'
import { unweightedAmong } from '../../src/store/popularity/event-types.ts'
import type { Deps } from '../handler/deps.ts'
import type { RecordingDeps } from './recording-deps.ts'
import { journalled, recordedAnswer } from './answer.ts'
import { checkedCall, receivedMsOf } from './checked-call.ts'
import { fanOut } from './fan-out.ts'

/** The checked items of a call. */
interface CheckedItems {
  rejections: readonly NewRejection[]
  warnings: readonly Warning[]
  /** The positions of the valid items of each event type. */
  byType: ReadonlyMap<string, readonly number[]>
  /** The id of the first valid item. */
  firstEventId: string | undefined
  /** Records the valid items once, and the rejections with them. `replayOf` is the rejected item that the call replays. */
  record: (deps: Deps, call: Call, replayOf?: ReplayOf) => Promise<Omit<RecordedBatchResult, 'isNew'>>
}

type CheckItems = (
  items: readonly unknown[],
  nowMs: number,
  newEventId: NewEventId,
  keptShort?: KeptShort,
) => Promise<CheckedItems>

/** The positions of items of which little is kept when they are rejected. */
type KeptShort = ReadonlySet<number>
const NONE: KeptShort = new Set()

/** How the items of each kind are checked and recorded. */
export const RECORDINGS: Record<KindWith<'isBatched'>, CheckItems> = {
  interaction: recordingOf(JUDGES.interaction, INTERACTIONS, ({ eventType }) => eventType),
  search: recordingOf(JUDGES.search, SEARCHES),
}

function recordingOf<Row extends LogRow>(
  judge: (items: readonly unknown[], nowMs: number, newEventId: NewEventId) => Judged<Row>,
  table: LogTable<Row>,
  typeOf?: (row: Row) => string,
): CheckItems {
  return async (items, nowMs, newEventId, keptShort = NONE) => {
    const {
      rows,
      rejections: judged,
      warnings,
    } = await judgeInSlices(items, (slice, start) => judge(slice, nowMs, (index, timeMs) => newEventId(start + index, timeMs)))
    const rejections = judged.map((rejection) => ({ ...rejection, isKeptShort: keptShort.has(rejection.index) }))
    const record: CheckedItems['record'] = async (deps, call, replayOf) => {
      const insert: InsertBatch<Row> | undefined = replayOf && insertReplayOf(replayOf)
      const recordAll = () => recordRows(deps.db, table, call, rows, rejections, insert, deps.tombstones)
      const { isNew, ...recorded } = await (areWide(rows) ? deps.recordingWide[table.kind](recordAll) : recordAll())
      const { accepted, duplicateIndexes, rejected } = recorded
      const all = [...rejections, ...rejected]
      if (isNew) deps.observer.recorded({ kind: table.kind, accepted, duplicates: duplicateIndexes.length, rejected: all })
      return recorded
    }
    const byType = typeOf === undefined ? new Map<string, number[]>() : positionsBy(rows, typeOf)
    return { rejections, warnings, byType, firstEventId: rows[0]?.eventId, record }
  }
}

/**
 * Checks the items of a call, records the valid ones and sends the batch on.
 * @throws DecidedError for a body that is too large or not UTF-8.
 */
export async function recordCall(
  kind: KindWith<'isBatched'>,
  deps: RecordingDeps,
  ctx: Context,
  items: readonly unknown[],
): Promise<CreateInteractionResponse> {
  const call = checkedCall(ctx)
  const stripped = items.map((item) => withPrivacy(item, deps.privacy))
  const newEventId: NewEventId = (index, timeMs) => eventIdFor(call, index, timeMs)
  const keptShort = keptShortIn(ctx.request().headers.get(KEPT_SHORT_HEADER))
  const { rejections, warnings, byType, record } = await RECORDINGS[kind](
    stripped,
    await receivedMsOf(ctx),
    newEventId,
    keptShort,
  )
  const recorded = await deps.step(ctx, 'record the batch', async (): Promise<JournalledBatch> => {
    const result = journalled(await record(deps, call))
    return { ...result, unweighted: await unweightedAmong(deps.db, byType.keys()) }
  })
  fanOut(ctx, kind, recorded)
  const unweighted = (recorded.unweighted ?? []).map((type) => ({ event_type: type, indexes: [...(byType.get(type) ?? [])] }))
  return recordedAnswer({ ...recorded, rejected: [...rejections, ...recorded.refused], warnings, unweighted })
}

/** The release before journalled no types. */
type JournalledBatch = ReturnType<typeof journalled<Omit<RecordedBatchResult, 'isNew'>>> & { unweighted?: string[] }

function positionsBy<Row extends LogRow>(rows: readonly Row[], typeOf: (row: Row) => string): Map<string, number[]> {
  const positions = new Map<string, number[]>()
  for (const row of rows) {
    const type = typeOf(row)
    const known = positions.get(type)
    if (known === undefined) positions.set(type, [row.index])
    else known.push(row.index)
  }
  return positions
}
