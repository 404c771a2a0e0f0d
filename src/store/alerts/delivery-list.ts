import { sql } from 'kysely'
import type { AlertDelivery, DeliveriesRequest, DeliveriesResponse, ReplayDelivery } from '../../contract/alert-delivery.ts'
import { DecidedError, notFound } from '../../contract/decided-error.ts'
import { isUuid } from '../../contract/fields/uuid.ts'
import { decodeCursor, encodeCursor } from '../database/cursor.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { note } from './alert.ts'
import { DELIVERY_COLUMNS, deliveryOf, type DeliveryRow } from './delivery-row.ts'

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
  const { rows } = await sql<DeliveryRow>`
    select ${DELIVERY_COLUMNS} from alert_crossing c join alert a using (alert_id)
    where c.alert_id = ${alertId}::uuid and ${isOf} and ${isBeyond}
    order by c.delivery_id desc limit ${limit + 1}`.execute(db)
  const shown = rows.slice(0, limit)
  const last = rows.length > limit ? shown.at(-1) : undefined
  const next_cursor = last ? encodeCursor(DELIVERIES, [alertId, status ?? '', last.deliveryId]) : null
  return { data: shown.map(deliveryOf), meta: { next_cursor } }
}

const DELIVERIES = 'deliveries'

function positionIn(cursor: string, alertId: string, status: string | undefined): string | undefined {
  const [ofAlert, ofStatus, id = ''] = decodeCursor(DELIVERIES, cursor) ?? []
  return ofAlert === alertId && ofStatus === (status ?? '') && isUuid(id) ? id : undefined
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
      update alert_crossing set status = 'pending', tried_from = statement_timestamp(), due_at = statement_timestamp(), tries = 0, finished_at = null
      where delivery_id = ${deliveryId}::uuid`.execute(tx)
    await note(tx, 'alert.replay', request, { delivery_id: deliveryId, was: delivery.status })
    const { rows } = await sql<DeliveryRow>`
      select ${DELIVERY_COLUMNS} from alert_crossing c join alert a using (alert_id) where c.delivery_id = ${deliveryId}::uuid`.execute(
      tx,
    )
    return deliveryOf(rows[0]!)
  })
}
