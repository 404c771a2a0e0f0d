import { type Kysely, sql } from 'kysely'
import { verify } from '../../src/store/proof/verification.ts'
import { recentProblems } from './recent-events.ts'
import type { Call } from './call.ts'
import { PERSON_PATTERN } from './persons.ts'
import type { CrashStack } from './stack.ts'

interface Batch {
  batchId: string
  invocationId: string
  bodySha256: string
  /** Its rows as `<milliseconds> <id>`. */
  events: string[]
  /** Its rejected items as `<index> <code>`. */
  rejected: string[]
  /** Whether each of its events is of a person, or of one that was erased. */
  isOfPersons: boolean
}

/** Compares the database with the calls and their answers. @returns the broken promises. */
export async function inspect(stack: CrashStack, calls: readonly Call[]): Promise<string[]> {
  const all = await recordedBatches(stack.db)
  const sent = new Set(calls.map((call) => call.bodySha256))
  // The events of persons are checked by their rows, because a gateway and payments make batches of their own.
  const batches = all.filter(({ bodySha256, isOfPersons }) => sent.has(bodySha256) || !isOfPersons)
  const { drift, events } = await verify(stack.db)
  const deadlocks = (await stack.logOf('postgres')).split('deadlock detected').length - 1
  return [
    ...logProblems(calls, batches),
    ...batchProblems(calls, batches),
    ...answerProblems(calls, batches),
    ...(await recentProblems(stack.db)),
    ...drift.map((cell) => `drift: ${JSON.stringify(cell)}`),
    ...(events === numberOfRows(all) ? [] : [`verify replayed ${events} of ${numberOfRows(all)} events`]),
    ...(deadlocks === 0 ? [] : [`${deadlocks} deadlocks`]),
  ]
}

/** The log has each sent event once, and no other event. */
function logProblems(calls: readonly Call[], batches: readonly Batch[]): string[] {
  const sent = new Set(calls.flatMap((call) => call.items.flatMap(({ event }) => event ?? [])))
  const withoutId = calls.reduce((sum, call) => sum + call.items.filter(isWithoutId).length, 0)
  const recorded = new Set(batches.flatMap((batch) => batch.events))
  const rows = numberOfRows(batches)
  const lost = [...sent].filter((event) => !recorded.has(event))
  return [
    ...(rows === sent.size + withoutId ? [] : [`${rows} rows of ${sent.size} + ${withoutId} distinct events`]),
    ...lost.map((event) => `lost: ${event}`),
  ]
}

/** Every batch is one body that was sent, with its rejected items. */
function batchProblems(calls: readonly Call[], batches: readonly Batch[]): string[] {
  const rejectedByBody = new Map(calls.map((call) => [call.bodySha256, rejectedIn(call)]))
  return batches.flatMap(({ batchId, bodySha256, rejected }) => {
    const expected = rejectedByBody.get(bodySha256)
    if (expected === undefined) return [`batch ${batchId} has a body that was never sent`]
    return expected === rejected.join() ? [] : [`batch ${batchId} rejected ${rejected.join()} and must reject ${expected}`]
  })
}

/** An answer agrees with its batch: exactly the events that it calls accepted are recorded there. */
function answerProblems(calls: readonly Call[], batches: readonly Batch[]): string[] {
  const byInvocation = Map.groupBy(batches, (batch) => batch.invocationId)
  return calls.flatMap((call) => {
    if (call.acknowledged === undefined) return [`${call.name} was never acknowledged`]
    const { answer, invocationId } = call.acknowledged
    const batchesOfCall = byInvocation.get(invocationId) ?? []
    if (batchesOfCall.length !== 1) return [`${call.name} has ${batchesOfCall.length} batches`]
    const duplicates = new Set(answer.duplicate_indexes)
    const claimed = call.items.flatMap(({ event }, index) => (event === undefined || duplicates.has(index) ? [] : [event]))
    const withoutId = call.items.filter((item, index) => isWithoutId(item) && !duplicates.has(index)).length
    const recorded = new Set(batchesOfCall[0]!.events)
    const isTrue =
      answer.accepted === recorded.size &&
      claimed.length + withoutId === recorded.size &&
      claimed.every((event) => recorded.has(event))
    return isTrue ? [] : [`${call.name} was answered ${answer.accepted} accepted, its batch has ${recorded.size}`]
  })
}

async function recordedBatches(db: Kysely<unknown>): Promise<Batch[]> {
  const { rows } = await sql<Batch>`
    select b.batch_id as "batchId", b.invocation_id as "invocationId", encode(b.body_sha256, 'hex') as "bodySha256",
      array(select (extract(epoch from i.occurred_at) * 1000)::bigint || ' ' || i.event_id
        from (select occurred_at, event_id, batch_id from interaction union all
          select occurred_at, event_id, batch_id from search) i where i.batch_id = b.batch_id) as events,
      array(select r.index || ' ' || r.code from rejected_interaction r
        where r.batch_id = b.batch_id order by r.index) as rejected,
      not exists (select from interaction i where i.batch_id = b.batch_id
        and coalesce(i.account_id, i.session_id) !~ ${PERSON_PATTERN}) and not b.is_search as "isOfPersons"
    from interaction_batch b order by b.batch_id`.execute(db)
  return rows
}

function numberOfRows(batches: readonly Batch[]): number {
  return batches.reduce((sum, batch) => sum + batch.events.length, 0)
}

function rejectedIn({ items }: Call): string {
  return items.flatMap(({ rejectedAs }, index) => (rejectedAs === undefined ? [] : [`${index} ${rejectedAs}`])).join()
}

function isWithoutId(item: Call['items'][number]): boolean {
  return item.event === undefined && item.rejectedAs === undefined
}
