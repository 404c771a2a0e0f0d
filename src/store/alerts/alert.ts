import { sql } from 'kysely'
import {
  type Alert,
  ALERTS_MAX,
  type ChangeAlert,
  type CreateAlert,
  type DeleteAlert,
  type RotateSecret,
} from '../../contract/alert.ts'
import { ALERT_KINDS } from '../../contract/alert-condition.ts'
import { DecidedError, notFound } from '../../contract/decided-error.ts'
import { audit, type AuditAction } from '../audit/audit-entry.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { utc } from '../database/json.ts'
import { takeNamedLocks } from '../database/locks.ts'
import { addSecret } from './alert-secret.ts'

/** Every alert that is not deleted, the oldest first. */
export async function listAlerts(db: Queryable): Promise<Alert[]> {
  return alertsWhere(db, sql`a.deleted_at is null`)
}

/** An alert, also a deleted one; undefined when there never was one. */
export async function findAlert(db: Queryable, alertId: string): Promise<Alert | undefined> {
  const [alert] = await alertsWhere(db, sql`a.alert_id = ${alertId}::uuid`)
  return alert
}

export function noAlert(alertId: string): DecidedError {
  return notFound(`there is no alert ${alertId}`)
}

async function alertsWhere(db: Queryable, condition: ReturnType<typeof sql>): Promise<Alert[]> {
  const thresholds = Object.entries(ALERT_KINDS).map(
    ([kind, field]) => `'${field}', case a.kind when '${kind}' then a.threshold end`,
  )
  const countOf = (status: string) =>
    `(select count(*)::int from alert_crossing c where c.alert_id = a.alert_id and c.status = '${status}')`
  const { rows } = await sql<{ alert: Alert }>`
    select json_strip_nulls(json_build_object('id', a.alert_id, 'name', a.name, 'kind', a.kind, ${sql.raw(thresholds.join(', '))},
      'mode', a.mode, 'rearm_at', case when a.rearm_at <> a.threshold then a.rearm_at end,
      'filter', case when num_nonnulls(a.seller_id, a.category, a.product_id) > 0
        then json_build_object('seller_id', a.seller_id, 'category', a.category, 'product_id', a.product_id) end,
      'url', a.url, 'is_on', a.is_on, 'made_by', a.made_by, 'made_at', ${sql.raw(utc('a.made_at'))}::json,
      'deleted_at', ${sql.raw(utc('a.deleted_at'))}::json,
      'pending', ${sql.raw(countOf('pending'))}, 'failed', ${sql.raw(countOf('failed'))})) as alert
    from alert a where ${condition} order by a.made_at, a.alert_id`.execute(db)
  return rows.map(({ alert }) => alert)
}

/**
 * Makes an alert with its secret. A repeated call finds the alert of its id. @throws DecidedError `conflict` when there are too many.
 */
export async function createAlert(db: Database, request: CreateAlert, secret: string): Promise<Alert> {
  const { alert_id: alertId, filter = {} } = request
  return db.transaction().execute(async (tx) => {
    // One after the other, so that concurrent calls do not make too many.
    await takeNamedLocks(tx, [['alerts']])
    const existing = await findAlert(tx, alertId)
    if (existing !== undefined) return existing
    if ((await countAlerts(tx)) >= ALERTS_MAX) {
      throw new DecidedError('conflict', `there are ${ALERTS_MAX} alerts, which is the most: delete one first`)
    }
    const threshold = request[ALERT_KINDS[request.kind]]!
    await sql`
      insert into alert (alert_id, name, kind, threshold, rearm_at, mode, seller_id, category, product_id, url, made_by)
      values (${alertId}::uuid, ${request.name}, ${request.kind}, ${threshold}, ${request.rearm_at ?? threshold}, ${request.mode ?? null},
        ${filter.seller_id ?? null}, ${filter.category ?? null}, ${filter.product_id ?? null}, ${request.url}, ${request.actor})`.execute(
      tx,
    )
    await addSecret(tx, { alertId, secretId: alertId, secret, oldHours: 0 })
    await note(tx, 'alert.create', request, { kind: request.kind, host: new URL(request.url).host })
    return (await findAlert(tx, alertId))!
  })
}

async function countAlerts(tx: Queryable): Promise<number> {
  const { rows } = await sql`select from alert where deleted_at is null`.execute(tx)
  return rows.length
}

/** Changes what is given. @throws DecidedError `not_found` when there is no such alert, or it was deleted. */
export async function changeAlert(db: Database, request: ChangeAlert): Promise<Alert> {
  const { alert_id: alertId, name, url, is_on: isOn } = request
  return db.transaction().execute(async (tx) => {
    const { rows } = await sql`
      update alert set name = coalesce(${name ?? null}, name), url = coalesce(${url ?? null}, url),
        resumes_at = case when ${url ?? null}::text is null then resumes_at end,
        is_on = coalesce(${isOn ?? null}::boolean, is_on)
      where alert_id = ${alertId}::uuid and deleted_at is null returning alert_id`.execute(tx)
    if (rows.length === 0) throw noAlert(alertId)
    const changed = { ...(name !== undefined && { name }), ...(isOn !== undefined && { is_on: isOn }) }
    await note(tx, 'alert.change', request, { ...changed, ...(url !== undefined && { host: new URL(url).host }) })
    return (await findAlert(tx, alertId))!
  })
}

/** Adds a secret to an alert. A repeated call changes nothing. @throws DecidedError `not_found` when there is no such alert, or it was deleted. */
export async function rotateSecret(db: Database, request: RotateSecret, secret: string): Promise<Alert> {
  const { alert_id: alertId, secret_id: secretId, old_hours: oldHours } = request
  return db.transaction().execute(async (tx) => {
    // Held, so that two changes at the same time do not leave three secrets.
    const { rows } = await sql`select from alert where alert_id = ${alertId}::uuid and deleted_at is null for update`.execute(tx)
    if (rows.length === 0) throw noAlert(alertId)
    const isNew = await addSecret(tx, { alertId, secretId, secret, oldHours })
    if (isNew) await note(tx, 'alert.secret', request, { old_hours: oldHours })
    return (await findAlert(tx, alertId))!
  })
}

/** Ends an alert, forgets its secrets and drops what was not sent. Ending it again changes nothing. @throws DecidedError `not_found` */
export async function deleteAlert(db: Database, request: DeleteAlert): Promise<Alert> {
  const { alert_id: alertId } = request
  return db.transaction().execute(async (tx) => {
    const { rows } = await sql`
      update alert set deleted_at = now() where alert_id = ${alertId}::uuid and deleted_at is null returning alert_id`.execute(tx)
    if (rows.length > 0) {
      await sql`delete from secret.alert_secret where alert_id = ${alertId}::uuid`.execute(tx)
      await sql`
        update alert_crossing set status = 'dropped', finished_at = now()
        where alert_id = ${alertId}::uuid and status = 'pending'`.execute(tx)
      await note(tx, 'alert.delete', request)
    }
    const alert = await findAlert(tx, alertId)
    if (alert === undefined) throw noAlert(alertId)
    return alert
  })
}

interface Noted {
  alert_id: string
  actor: string
  requested_by?: string | undefined
}

/** Writes the audit entry of a change. It has neither secrets nor whole addresses, because entries stay and addresses may hold a token. */
export async function note(
  tx: Queryable,
  action: AuditAction,
  request: Noted,
  metadata: Record<string, unknown> = {},
): Promise<void> {
  const { alert_id: alertId, actor, requested_by: requestedBy } = request
  await audit(tx, {
    actor,
    action,
    resourceType: 'alert',
    resourceId: alertId,
    metadata: { ...metadata, ...(requestedBy !== undefined && { requested_by: requestedBy }) },
  })
}
