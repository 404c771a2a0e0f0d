import { sql } from 'kysely'
import { Id } from '../../contract/fields/id.ts'
import { instantOf } from '../../contract/fields/time.ts'
import { type Call, callIdOf } from '../log/call.ts'
import { countCall, countedCall } from '../log/ingest.ts'
import { columnOf } from '../database/column.ts'
import { awaitTrace, traced } from '../log/recorded-call.ts'
import type { Queryable, Database } from '../database/connection.ts'
import { monthsToMake } from '../log/batch.ts'
import { makePartitions } from '../log/month.ts'
import { type Checked, isNewerThan, pseudonymsFor, type Tombstones, WITHOUT_KEY } from '../log/tombstone.ts'
import type { Rejection } from '../../admission/rows.ts'
import { isDistributed } from '../database/is-distributed.ts'
import { onlyRow } from '../database/rows.ts'
import { isMissingPartition } from '../database/sql-state.ts'
import type { NewAnalyticsEvent, CalledAnalyticsEvent } from '../../admission/analytics-event.ts'

interface RecordedEvents {
  accepted: number
  duplicateIndexes: number[]
  rejected: Rejection[]
  /** Whether this attempt inserted anything: true for one of all attempts. */
  isNew: boolean
}

/** Sources that events make by themselves: a caller could otherwise make one for each event. */
const SOURCES_MAX = 1_000
const TOO_MANY_SOURCES = `is unknown, and there are ${SOURCES_MAX} sources already: make it with footfall source set`

/** Creating missing months costs one more attempt. More than a few mean a fault. */
const ATTEMPTS_MAX = 8

/**
 * Records a call's events once per source and reference, for ever. Events of an inactive source, of one too many, or from before the
 * horizon are rejected one by one. PostgreSQL rejects nothing else of a checked event. Repeated and overlapping attempts find the keys of their call and give
 * the same answer. `refused` is how many other events of the call were rejected.
 */
export async function recordEvents(
  db: Database,
  call: Call,
  events: readonly CalledAnalyticsEvent[],
  tombstones: Tombstones = WITHOUT_KEY,
  refused = 0,
): Promise<RecordedEvents> {
  if (events.length === 0) {
    await countCall(db, call, 'analytics_event', { accepted: 0, duplicates: 0, rejected: refused })
    return { accepted: 0, duplicateIndexes: [], rejected: [], isNew: false }
  }
  await makeSources(db, events, SOURCES_MAX)
  const notInserted = await insertWithMonths(db, call, events, { tombstones, refused })
  const isNew = notInserted.length < events.length
  if (!isNew) await awaitTrace(db, call)
  if (notInserted.length === 0) return { accepted: events.length, duplicateIndexes: [], rejected: [], isNew }

  const places = new Set(notInserted.map(({ index }) => index))
  const known = await knownKeys(
    db,
    call,
    events.filter(({ index }) => places.has(index)),
  )
  const rejected = notInserted.filter(({ index }) => !known.has(index)).map(rejectionOf)
  const duplicateIndexes = notInserted.map(({ index }) => index).filter((index) => known.get(index) === false)
  return { accepted: events.length - rejected.length - duplicateIndexes.length, duplicateIndexes, rejected, isNew }
}

async function insertWithMonths(
  db: Database,
  call: Call,
  events: readonly CalledAnalyticsEvent[],
  { tombstones, refused }: { tombstones: Tombstones; refused: number },
): Promise<NotInserted[]> {
  let checked = await tombstones.check(db, entitiesOf(events))
  for (let attempt = 1; ; attempt++) {
    try {
      const notInserted = await insertEvents(db, withoutErased(events, checked), {
        call,
        refused,
        tombstoneNo: checked.tombstoneNo,
      })
      if (!notInserted.some(({ isOutdated }) => isOutdated)) return notInserted
      checked = await tombstones.check(db, entitiesOf(events), true)
    } catch (error) {
      if (!isMissingPartition(error) || attempt === ATTEMPTS_MAX) throw error
      await makePartitions(db, await monthsToMake(db, events), ['analytics_event'])
    }
  }
}

/** The shoppers that the entities of events, and the texts of their payloads, may be. They are looked for only when a person was erased. */
function* entitiesOf(events: readonly CalledAnalyticsEvent[]): Generator<string> {
  for (const { entityId, payload } of events)
    for (const id of [entityId, ...textsOf(payload)]) yield* [`account:${id}`, `session:${id}`]
}

/** Every text of a payload that may be an id, at any depth. */
function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return Id.safeParse(value).success ? [value] : []
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : []
}

/** The events with pseudonyms in the place of erased persons, and without what their sources say about these. */
function withoutErased(events: readonly CalledAnalyticsEvent[], checked: Checked): readonly CalledAnalyticsEvent[] {
  if (checked.erasedUntilMs.size === 0) return events
  const pseudonymOf = pseudonymsFor(checked)
  return events.map((event) => {
    const { entityId, occurredAtMs, payload } = event
    const pseudonymOfId = (id: string) => pseudonymOf('account', id, occurredAtMs) ?? pseudonymOf('session', id, occurredAtMs)
    const pseudonym = pseudonymOfId(entityId)
    if (pseudonym !== undefined) return { ...event, entityId: pseudonym, payload: undefined }
    return textsOf(payload).some((text) => pseudonymOfId(text) !== undefined) ? { ...event, payload: undefined } : event
  })
}

/**
 * Records the events of payments, also those of an inactive source, because a payment happened all the same. Their callbacks are
 * checked already. Events that were recorded before change nothing. The month of each event must be open.
 */
export async function insertPaymentEvents(tx: Queryable, events: readonly NewAnalyticsEvent[]): Promise<void> {
  if (events.length === 0) return
  await makeSources(tx, events)
  await insertEvents(
    tx,
    events.map((event, index) => ({ ...event, index })),
  )
}

/** An event that was not inserted. */
interface NotInserted {
  index: number
  isUnknown: boolean
  isInactive: boolean
  /** The horizon of the log if the event is before it. */
  horizon: Date | null
  /** Whether nothing was inserted because a person was erased since the tombstones were looked up. */
  isOutdated: boolean
}

/**
 * Claims the keys and inserts the events with new keys. A trigger marks their days dirty for every report, or the statement where there is none. Keys are inserted in order,
 * because two calls with common references would otherwise deadlock. The first of several events with one key is recorded.
 */
async function insertEvents(
  db: Queryable,
  events: readonly CalledAnalyticsEvent[],
  of?: { call: Call; refused: number; tombstoneNo: string },
): Promise<NotInserted[]> {
  const { call, tombstoneNo } = of ?? {}
  const isOutdated = tombstoneNo === undefined ? sql`false` : isNewerThan(tombstoneNo)
  const isTaken =
    call === undefined ? sql`true` : sql`is_active and occurred_at >= (select horizon from log_horizon) and not ${isOutdated}`
  const callColumns = call === undefined ? sql`null::uuid, null::int` : sql`${callIdOf(call)}::uuid, index`
  const { rows } = await sql<NotInserted>`
    with event as (
      select s.source_id, s.is_active, e.* from (${rowsAsTable(events)}) e left join event_source s on s.slug = e.slug
    ), first_of_key as (
      select distinct on (source_id, external_ref) * from event where ${isTaken} order by source_id, external_ref, index
    ), claimed as (
      insert into analytics_event_key (source_id, external_ref, call_id, call_index)
      select source_id, external_ref, ${callColumns} from first_of_key order by source_id, external_ref
      on conflict do nothing
      returning source_id, external_ref
    ), new_event as (
      select first_of_key.* from first_of_key join claimed using (source_id, external_ref)
    ), inserted as (
      insert into analytics_event (occurred_at, amount, source_id, processing_ms, external_ref, entity_id, status, currency, payload)
      select occurred_at, amount, source_id, processing_ms, external_ref, entity_id, status, currency, payload::jsonb from new_event
    )${(await isDistributed(db)) ? sql`, marked as (${MARKED_DAYS})` : sql``}${of === undefined ? sql`` : sql`, ${countedEvents(of.call, of.refused, isOutdated)}, ${traced(of.call, sql`not ${isOutdated}`)}`}
    select index, source_id is null as "isUnknown", not is_active as "isInactive", case when occurred_at < horizon then horizon end as horizon,
      ${isOutdated} as "isOutdated"
    from event cross join log_horizon where index not in (select index from new_event) order by index`.execute(db)
  return rows
}

/** What the trigger analytics_event_mark adds. */
const MARKED_DAYS = sql`
  insert into dirty_mark (day, report_slug, bucket_window)
  select day, report_slug, bucket_window
  from (select distinct (occurred_at at time zone 'UTC')::date as day from new_event) d cross join aggregate_window`

/** The parts of the statement that count the events of a call. Those of a source that is unknown or inactive, and too old ones, are rejected. */
function countedEvents(call: Call, refused: number, isOutdated: ReturnType<typeof sql>) {
  return countedCall(
    call,
    'analytics_event',
    sql`
      select n.new as accepted, e.taken - n.new as duplicates, ${refused}::int + e.given - e.taken as rejected
      from (select count(*)::int as new from new_event) n cross join (
        select count(*)::int as given, (count(*) filter (where is_active and occurred_at >= horizon))::int as taken
        from event cross join log_horizon) e
      where not ${isOutdated}`,
  )
}

/**
 * The events whose keys exist, and whether this call recorded them. It is a statement of its own, because the insert does not see what
 * was committed after it began.
 */
async function knownKeys(db: Queryable, call: Call, events: readonly CalledAnalyticsEvent[]): Promise<Map<number, boolean>> {
  const { rows } = await sql<{ index: number; isOwn: boolean }>`
    select e.index, k.call_id is not distinct from ${callIdOf(call)}::uuid and k.call_index = e.index as "isOwn"
    from (${rowsAsTable(events)}) e join event_source s on s.slug = e.slug
      join analytics_event_key k on k.source_id = s.source_id and k.external_ref = e.external_ref`.execute(db)
  return new Map(rows.map(({ index, isOwn }) => [index, isOwn]))
}

function rejectionOf({ index, isUnknown, isInactive, horizon }: NotInserted): Rejection {
  if (isUnknown) return { index, code: 'invalid', field: 'source', message: TOO_MANY_SOURCES }
  if (isInactive) return { index, code: 'inactive_source', field: 'source', message: 'is inactive: nothing is recorded of it' }
  const since = `${horizon!.toISOString().slice(0, 19)}Z`
  return { index, code: 'too_old', field: 'occurred_at', message: `is before the horizon ${since}` }
}

/** The events as a table, one array per column: the statement's text does not depend on their number. */
function rowsAsTable(events: readonly CalledAnalyticsEvent[]) {
  const column = (valueOf: (event: CalledAnalyticsEvent) => string | number | null) => columnOf(events, valueOf)
  return sql`
    select index, slug, external_ref collate "C" as external_ref, entity_id, status, processing_ms, amount, currency, occurred_at, payload
    from unnest(
      ${column(({ index }) => index)}::int[], ${column(({ source }) => source)}::text[],
      ${column(({ externalRef }) => externalRef)}::text[], ${column(({ entityId }) => entityId)}::text[],
      ${column(({ status }) => status)}::text[], ${column(({ processingMs }) => processingMs)}::int[],
      ${column(({ amount }) => amount)}::bigint[], ${column(({ currency }) => currency)}::text[],
      ${column(({ occurredAtMs }) => instantOf(occurredAtMs))}::timestamptz[],
      ${column(({ payload }) => (payload === undefined ? null : JSON.stringify(payload)))}::text[])
      as row(index, slug, external_ref, entity_id, status, processing_ms, amount, currency, occurred_at, payload)`
}

/** Creates the missing sources while there are fewer than `max`. It looks first, because a conflicting insert would also use up a number. */
async function makeSources(db: Queryable, events: readonly NewAnalyticsEvent[], max = Infinity): Promise<void> {
  const slugs = [...new Set(events.map(({ source }) => source))]
  const { rows } = await sql<{ slug: string }>`select slug from event_source where slug = any(${slugs}::text[])`.execute(db)
  const known = new Set(rows.map(({ slug }) => slug))
  const missing = slugs.filter((slug) => !known.has(slug)).toSorted()
  if (missing.length === 0) return
  const counted = await sql<{ sources: number }>`select count(*)::int as sources from event_source`.execute(db)
  const made = missing.slice(0, Math.max(0, max - onlyRow(counted).sources))
  await sql`insert into event_source (slug) select unnest(${made}::text[]) on conflict do nothing`.execute(db)
}
