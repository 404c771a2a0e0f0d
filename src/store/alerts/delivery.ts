import { sql } from 'kysely'
import type { DeliveryBody, DeliveryStatus } from '../../contract/alert-delivery.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { secretsOf } from './alert-secret.ts'
import { bodyOf, DELIVERY_COLUMNS, type DeliveryRow } from './delivery-row.ts'

/** A failing delivery is tried for so long, and at least once. */
const TRIED_HOURS = 24
/** The pause after the first failure. It doubles with each further one. */
const PAUSE_SECONDS_MIN = 5
const PAUSE_SECONDS_MAX = 3_600
const ERROR_CHARACTERS_MAX = 300
const DROPPED_MAX = 10_000

/** The alerts that have deliveries to send now. */
export async function alertsWithDueDeliveries(db: Queryable): Promise<string[]> {
  const { rows } = await sql<{ alertId: string }>`
    select a.alert_id as "alertId" from alert a
    where a.deleted_at is null and coalesce(a.resumes_at <= statement_timestamp(), true) and exists (
      select from alert_crossing c where c.alert_id = a.alert_id and c.status = 'pending' and c.due_at <= statement_timestamp())
    order by a.made_at, a.alert_id`.execute(db)
  return rows.map(({ alertId }) => alertId)
}

/** A delivery that is due, with what signs it. */
export interface DueDelivery {
  body: DeliveryBody
  url: string
  attempts: number
  secrets: readonly string[]
}

/** The delivery of an alert that has been due for the longest time; undefined when none is, the receiver wants a pause, or the alert was deleted. */
export async function nextDelivery(db: Queryable, alertId: string): Promise<DueDelivery | undefined> {
  const secrets = await secretsOf(db, alertId)
  if (secrets.length === 0) return undefined
  const { rows } = await sql<DeliveryRow & { url: string }>`
    select ${DELIVERY_COLUMNS}, a.url from alert_crossing c join alert a using (alert_id)
    where c.alert_id = ${alertId}::uuid and c.status = 'pending' and c.due_at <= statement_timestamp()
      and coalesce(a.resumes_at <= statement_timestamp(), true)
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
  /** How long the receiver wants no delivery of this alert. */
  retryAfterSeconds?: number | undefined
}

/** Keeps the outcome of an attempt. @returns the status of the delivery afterwards; undefined when this outcome is kept already. */
export async function keepAttempt(db: Database, attempt: Attempt): Promise<DeliveryStatus | undefined> {
  const { deliveryId, retryAfterSeconds } = attempt
  if (retryAfterSeconds === undefined) return keepOutcome(db, attempt)
  return db.transaction().execute(async (tx) => {
    // The alert before its delivery, which is the order of `deleteAlert`.
    await sql`
      update alert set resumes_at = statement_timestamp() + ${retryAfterSeconds} * interval '1 second'
      where alert_id = (select alert_id from alert_crossing where delivery_id = ${deliveryId}::uuid)`.execute(tx)
    return keepOutcome(tx, attempt)
  })
}

async function keepOutcome(db: Queryable, { deliveryId, attempts, status, error }: Attempt): Promise<DeliveryStatus | undefined> {
  const isDone = error === undefined
  const isOver = sql`tried_from <= statement_timestamp() - ${TRIED_HOURS} * interval '1 hour'`
  const after = sql`case when ${isDone}::boolean then 'delivered' when status <> 'pending' then status when ${isOver} then 'failed' else 'pending' end`
  const { rows } = await sql<{ status: DeliveryStatus }>`
    update alert_crossing set attempts = attempts + 1, tries = tries + 1, attempted_at = statement_timestamp(),
      answer_status = ${status}, error = ${error?.slice(0, ERROR_CHARACTERS_MAX) ?? null}, status = ${after},
      finished_at = case when ${after} <> 'pending' then statement_timestamp() end,
      -- By the clock of UTC, because Citus computes no instants of columns in an update.
      due_at = (statement_timestamp() at time zone 'UTC'
        + least(${PAUSE_SECONDS_MIN} * power(2, least(tries, 20)), ${PAUSE_SECONDS_MAX}) * interval '1 second') at time zone 'UTC'
    where delivery_id = ${deliveryId}::uuid and attempts = ${attempts} and status <> 'delivered'
    returning status`.execute(db)
  return rows[0]?.status
}

export interface DeliveryBacklog {
  pending: number
  /** Since the crossing or the replay of the oldest one; null when none is pending. */
  oldestSeconds: number | null
}

/** How many deliveries are pending. */
export async function deliveryBacklog(db: Queryable): Promise<DeliveryBacklog> {
  return onlyRow(
    await sql<DeliveryBacklog>`
      select count(*)::int as pending, extract(epoch from statement_timestamp() - min(c.tried_from))::float8 as "oldestSeconds"
      from alert_crossing c join alert a using (alert_id) where c.status = 'pending' and a.deleted_at is null`.execute(db),
  )
}

/** Drops pending deliveries of deleted alerts: a statement may note a crossing while its alert is being deleted. */
export async function dropUndeliverable(db: Queryable): Promise<void> {
  await sql`
    update alert_crossing set status = 'dropped', finished_at = now()
    where status = 'pending' and alert_id in (select alert_id from alert where deleted_at is not null)`.execute(db)
}

/** Deletes deliveries that ended so many days ago. @returns whether more are left. */
export async function dropDeliveries(db: Queryable, days: number): Promise<boolean> {
  const { rows } = await sql`
    with old as materialized (
      select delivery_id from alert_crossing where finished_at <= now() - ${days} * interval '1 day' order by finished_at limit ${DROPPED_MAX}
    )
    delete from alert_crossing c using old where c.delivery_id = old.delivery_id returning c.delivery_id`.execute(db)
  return rows.length === DROPPED_MAX
}
