import { type RawBuilder, sql } from 'kysely'
import type { AlertKind } from '../../contract/alert.ts'
import type {
  AlertDelivery,
  DeliveriesRequest,
  DeliveriesResponse,
  DeliveryBody,
  DeliveryStatus,
  ReplayDelivery,
} from '../../contract/alert-delivery.ts'
import { DecidedError, notFound } from '../../contract/decided-error.ts'
import { instantOf } from '../../contract/fields/time.ts'
import { decodeCursor, encodeCursor } from '../database/cursor.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { note } from './alert.ts'
import { secretsOf } from './alert-secret.ts'

/** A failing delivery is tried for so long, and at least once. */
const TRIED_HOURS = 24
/** The pause after the first failure. It doubles with each further one. */
const PAUSE_SECONDS_MIN = 5
const PAUSE_SECONDS_MAX = 3_600
const ERROR_CHARACTERS_MAX = 300
const ALERTS_DUE_MAX = 1_000
const DROPPED_MAX = 10_000

/** The alerts that have deliveries to send now. */
export async function alertsWithDueDeliveries(db: Queryable): Promise<string[]> {
  const { rows } = await sql<{ alertId: string }>`
    select distinct alert_id as "alertId" from alert_crossing where status = 'pending' and due_at <= clock_timestamp()
    order by 1 limit ${ALERTS_DUE_MAX}`.execute(db)
  return rows.map(({ alertId }) => alertId)
}

/** A delivery that is due, with what signs it. */
export interface DueDelivery {
  body: DeliveryBody
  url: string
  attempts: number
  secrets: readonly string[]
}

/** The delivery of an alert that has been due for the longest time; undefined when none is, or the alert was deleted. */
export async function nextDelivery(db: Queryable, alertId: string): Promise<DueDelivery | undefined> {
  const secrets = await secretsOf(db, alertId)
  if (secrets.length === 0) return undefined
  const { rows } = await sql<Row & { url: string }>`
    select ${COLUMNS}, a.url from alert_crossing c join alert a using (alert_id)
    where c.alert_id = ${alertId}::uuid and c.status = 'pending' and c.due_at <= clock_timestamp()
    order by c.due_at, c.delivery_id limit 1`.execute(db)
  const [row] = rows
  return row && { body: bodyOf(row), url: row.url, attempts: row.attempts, secrets }
}

/** What an attempt came to. */
export interface Attempt {
  deliveryId: string
  /** Attempts before this one: an outcome that is kept already is not kept again. */
  attempts: number
  /** The status of the answer; null when there was none. */
  status: number | null
  /** Undefined when the receiver took it. */
  error?: string | undefined
}

/** Keeps the outcome of an attempt. @returns the status of the delivery afterwards. */
export async function keepAttempt(
  db: Queryable,
  { deliveryId, attempts, status, error }: Attempt,
): Promise<DeliveryStatus | undefined> {
  const isDone = error === undefined
  const isOver = sql`tried_from <= clock_timestamp() - ${TRIED_HOURS} * interval '1 hour'`
  const after = sql`case when ${isDone}::boolean then 'delivered' when status <> 'pending' then status when ${isOver} then 'failed' else 'pending' end`
  const { rows } = await sql<{ status: DeliveryStatus }>`
    update alert_crossing set attempts = attempts + 1, tries = tries + 1, attempted_at = clock_timestamp(),
      answer_status = ${status}, error = ${error?.slice(0, ERROR_CHARACTERS_MAX) ?? null}, status = ${after},
      finished_at = case when ${after} <> 'pending' then clock_timestamp() end,
      due_at = clock_timestamp() + least(${PAUSE_SECONDS_MIN} * power(2, least(tries, 20)), ${PAUSE_SECONDS_MAX}) * interval '1 second'
    where delivery_id = ${deliveryId}::uuid and attempts = ${attempts} and status <> 'delivered'
    returning status`.execute(db)
  return rows[0]?.status
}

/** A page of the deliveries of an alert, the newest first. Undefined for a cursor of another list. */
export async function deliveriesOf(
  db: Queryable,
  alertId: string,
  { status, limit, cursor }: DeliveriesRequest,
): Promise<DeliveriesResponse | undefined> {
  const after = cursor === undefined ? undefined : positionIn(cursor, alertId, status)
  if (cursor !== undefined && after === undefined) return undefined
  const isBeyond = after === undefined ? sql`true` : sql`c.delivery_id < ${after}::uuid`
  const isOf = status === undefined ? sql`true` : sql`c.status = ${status}`
  const { rows } = await sql<Row>`
    select ${COLUMNS} from alert_crossing c join alert a using (alert_id)
    where c.alert_id = ${alertId}::uuid and ${isOf} and ${isBeyond}
    order by c.delivery_id desc limit ${limit + 1}`.execute(db)
  const shown = rows.slice(0, limit)
  const last = rows.length > limit ? shown.at(-1) : undefined
  const next_cursor = last ? encodeCursor(DELIVERIES, [alertId, status ?? '', last.deliveryId]) : null
  return { data: shown.map(deliveryOf), meta: { next_cursor } }
}

const DELIVERIES = 'deliveries'
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

function positionIn(cursor: string, alertId: string, status: string | undefined): string | undefined {
  const [ofAlert, ofStatus, id = ''] = decodeCursor(DELIVERIES, cursor) ?? []
  return ofAlert === alertId && ofStatus === (status ?? '') && UUID.test(id) ? id : undefined
}

/** Makes a delivery pending again. @throws DecidedError `not_found`, or `conflict` while it is pending or when its alert was deleted. */
export async function replayDelivery(db: Database, request: ReplayDelivery): Promise<AlertDelivery> {
  const { alert_id: alertId, delivery_id: deliveryId } = request
  return db.transaction().execute(async (tx) => {
    const found = await sql<{ status: string; isDeleted: boolean }>`
      select c.status, a.deleted_at is not null as "isDeleted" from alert_crossing c join alert a using (alert_id)
      where c.delivery_id = ${deliveryId}::uuid and c.alert_id = ${alertId}::uuid for update of c`.execute(tx)
    const [delivery] = found.rows
    if (delivery === undefined) throw notFound(`the alert ${alertId} has no delivery ${deliveryId}`)
    if (delivery.isDeleted) throw new DecidedError('conflict', 'its alert was deleted')
    if (delivery.status === 'pending') throw new DecidedError('conflict', 'it is pending already')
    await sql`
      update alert_crossing set status = 'pending', tried_from = clock_timestamp(), due_at = clock_timestamp(), tries = 0, finished_at = null
      where delivery_id = ${deliveryId}::uuid`.execute(tx)
    await note(tx, 'alert.replay', request, { delivery_id: deliveryId, was: delivery.status })
    const { rows } = await sql<Row>`
      select ${COLUMNS} from alert_crossing c join alert a using (alert_id) where c.delivery_id = ${deliveryId}::uuid`.execute(tx)
    return deliveryOf(rows[0]!)
  })
}

/** Deletes deliveries that ended so many days ago. @returns whether more are left. */
export async function dropDeliveries(db: Queryable, days: number): Promise<boolean> {
  const { rows } = await sql`
    delete from alert_crossing where delivery_id in (
      select delivery_id from alert_crossing where finished_at <= now() - ${days} * interval '1 day' order by finished_at limit ${DROPPED_MAX}
    ) returning delivery_id`.execute(db)
  return rows.length === DROPPED_MAX
}

interface Row {
  deliveryId: string
  alertId: string
  kind: AlertKind
  crossedAt: Date
  attemptedAt: Date | null
  dueAt: Date | null
  status: AlertDelivery['status']
  attempts: number
  answerStatus: number | null
  error: string | null
  facts: Record<string, unknown>
}

const COLUMNS: RawBuilder<unknown> = sql`c.delivery_id as "deliveryId", c.alert_id as "alertId", a.kind, c.crossed_at as "crossedAt",
  c.attempted_at as "attemptedAt", case when c.status = 'pending' then c.due_at end as "dueAt",
  c.status, c.attempts, c.answer_status as "answerStatus", c.error, c.facts`

function bodyOf({ deliveryId, alertId, kind, crossedAt, facts }: Row): DeliveryBody {
  return { delivery_id: deliveryId, alert_id: alertId, kind, crossed_at: crossedAt.toISOString(), facts }
}

function deliveryOf(row: Row): AlertDelivery {
  const at = (date: Date | null) => (date === null ? null : instantOf(date.getTime()))
  return {
    ...bodyOf(row),
    status: row.status,
    attempts: row.attempts,
    attempted_at: at(row.attemptedAt),
    next_attempt_at: at(row.dueAt),
    answer_status: row.answerStatus,
    error: row.error,
  }
}
