import { type RawBuilder, sql } from 'kysely'
import type { AlertKind } from '../../contract/alert-condition.ts'
import type { AlertDelivery, DeliveryBody } from '../../contract/alert-delivery.ts'
import { instantOf } from '../../contract/fields/time.ts'

/** A row of `DELIVERY_COLUMNS`. */
export interface DeliveryRow {
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

/** Of `alert_crossing c join alert a`. */
export const DELIVERY_COLUMNS: RawBuilder<unknown> = sql`c.delivery_id as "deliveryId", c.alert_id as "alertId", a.kind, c.crossed_at as "crossedAt",
  c.attempted_at as "attemptedAt", case when c.status = 'pending' then greatest(c.due_at, a.resumes_at) end as "dueAt",
  c.status, c.attempts, c.answer_status as "answerStatus", c.error, c.facts`

export function bodyOf({ deliveryId, alertId, kind, crossedAt, facts }: DeliveryRow): DeliveryBody {
  return { delivery_id: deliveryId, alert_id: alertId, kind, crossed_at: crossedAt.toISOString(), facts }
}

export function deliveryOf(row: DeliveryRow): AlertDelivery {
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
