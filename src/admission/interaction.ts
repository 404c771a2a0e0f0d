import type { z } from 'zod'
import { timeOfUuidV7 } from '../contract/event-id.ts'
import { type Interaction, Interaction as InteractionSchema } from '../contract/interaction.ts'
import { normalisedQuery, type Search, Search as SearchSchema } from '../contract/search.ts'
import { writable } from '../contract/text.ts'
import { EARLIEST_MS, millisecondsOf } from '../contract/time.ts'
import { itemProblem } from './item-problem.ts'
import type { LogRow, NewInteraction, NewRejection, NewSearch } from './rows.ts'

/** How far a clock may be ahead. */
export const FUTURE_MS_MAX = 5 * 60_000
const ID_TIME_MS_MAX = 1_000

/** What is wrong with the time of an event; undefined when nothing is. */
export function timeProblemOf(occurredAtMs: number, nowMs: number): Pick<NewRejection, 'code' | 'field' | 'message'> | undefined {
  const field = 'occurred_at'
  if (occurredAtMs > nowMs + FUTURE_MS_MAX) return { code: 'in_future', field, message: 'is more than 5 minutes in the future' }
  if (occurredAtMs < EARLIEST_MS) return { code: 'too_old', field, message: 'is before 2000-01-01' }
  return undefined
}

export interface Judged<Row extends LogRow> {
  rows: Row[]
  rejections: NewRejection[]
}

/** Gives an id to an event that came without one. */
export type NewEventId = (index: number, occurredAtMs: number) => string

/** Judges each item of a batch of interactions alone. */
export function judge(items: readonly unknown[], nowMs: number, newEventId: NewEventId): Judged<NewInteraction> {
  return judgeEach(INTERACTION, items, nowMs, newEventId)
}

/** Judges each item of a batch of searches alone. */
export function judgeSearches(items: readonly unknown[], nowMs: number, newEventId: NewEventId): Judged<NewSearch> {
  return judgeEach(SEARCH, items, nowMs, newEventId)
}

/** What has an identity, as every event of the log does. */
type Identified = Pick<Interaction, 'event_id' | 'occurred_at'>

interface Kind<Event extends Identified, Row extends LogRow> {
  schema: z.ZodType<Event>
  /** As messages call one. */
  noun: string
  columnsOf: (event: Event) => Omit<Row, keyof LogRow>
}

function judgeEach<Event extends Identified, Row extends LogRow>(
  kind: Kind<Event, Row>,
  items: readonly unknown[],
  nowMs: number,
  newEventId: NewEventId,
): Judged<Row> {
  const judged: Judged<Row> = { rows: [], rejections: [] }
  for (const [index, item] of items.entries()) {
    const verdict = judgeItem(kind, index, writable(item), nowMs, newEventId)
    if ('eventId' in verdict) judged.rows.push(verdict)
    else judged.rejections.push(verdict)
  }
  return judged
}

function judgeItem<Event extends Identified, Row extends LogRow>(
  { schema, noun, columnsOf }: Kind<Event, Row>,
  index: number,
  item: unknown,
  nowMs: number,
  newEventId: NewEventId,
): Row | NewRejection {
  const reject = (code: NewRejection['code'], field: string | null, message: string) => ({ index, code, field, message, item })
  const parsed = schema.safeParse(item)
  if (!parsed.success) {
    const { field, message } = itemProblem(parsed.error, item, noun)
    return reject('invalid', field, message)
  }
  const event = parsed.data
  const time = timeOf(event, nowMs)
  if ('problem' in time) return reject('invalid', 'occurred_at', time.problem)
  const { occurredAtMs } = time
  const problem = timeProblemOf(occurredAtMs, nowMs)
  if (problem !== undefined) return { index, item, ...problem }
  const eventId = event.event_id?.toLowerCase() ?? newEventId(index, occurredAtMs)
  return { index, item, eventId, occurredAtMs, ...columnsOf(event) } as Row
}

/** A UUIDv7 carries the event's time; any other id needs one beside it. */
function timeOf(event: Identified, nowMs: number): { occurredAtMs: number } | { problem: string } {
  const givenMs = event.occurred_at === undefined ? undefined : millisecondsOf(event.occurred_at)
  if (event.event_id === undefined) return { occurredAtMs: givenMs ?? nowMs }
  const embeddedMs = timeOfUuidV7(event.event_id)
  if (embeddedMs === undefined) {
    return givenMs === undefined ? { problem: 'is needed with an event_id that is not a UUIDv7' } : { occurredAtMs: givenMs }
  }
  if (givenMs !== undefined && Math.abs(givenMs - embeddedMs) > ID_TIME_MS_MAX) {
    return { problem: 'differs by more than 1 s from the time in event_id' }
  }
  return { occurredAtMs: embeddedMs }
}

const INTERACTION: Kind<Interaction, NewInteraction> = {
  schema: InteractionSchema,
  noun: 'an interaction',
  columnsOf: (event) => ({
    eventType: event.event_type,
    refType: event.ref_type,
    refId: event.ref_id,
    accountId: event.account_id ?? null,
    accountNumber: event.account_number ?? null,
    sessionId: event.session_id ?? null,
    ipAddress: event.ip_address ?? null,
    userAgent: event.user_agent ?? null,
    metadata: event.metadata,
  }),
}

const SEARCH: Kind<Search, NewSearch> = {
  schema: SearchSchema,
  noun: 'a search',
  columnsOf: (search) => ({
    query: search.query,
    normalisedQuery: normalisedQuery(search.query),
    accountId: search.account_id ?? null,
    sessionId: search.session_id ?? null,
    productIds: [...new Set(search.product_ids)],
  }),
}
