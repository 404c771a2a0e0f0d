import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import type { Alert, CreateAlert } from '../../../src/contract/alert.ts'
import { createAlert } from '../../../src/store/alerts/alert.ts'
import type { Database } from '../../../src/store/database/connection.ts'

export const SECRET = 'the-secret-of-the-tests'

/** Makes an alert about low stock, or the one that is described. */
export function makeAlert(db: Database, changes: Partial<CreateAlert> = {}): Promise<Alert> {
  const alert_id = randomUUID()
  const base = { alert_id, name: 'Stock', url: 'http://127.0.0.1:9/', actor: 'tests', sealed_secret: 'unused' }
  const condition = changes.kind === undefined ? { kind: 'low_stock', below: 5 } : {}
  return createAlert(db, { ...base, ...condition, ...changes } as CreateAlert, SECRET)
}

export interface Crossing {
  alert_id: string
  subject: string
  facts: Record<string, unknown>
}

/** Every crossing, in the order in which they were written. */
export async function crossings(db: Database): Promise<Crossing[]> {
  const { rows } = await sql<Crossing>`select alert_id, subject, facts from alert_crossing order by delivery_id`.execute(db)
  return rows
}

/** A crossing about stock as the reference has it. */
export function textOfCrossing({ subject, facts }: Crossing): string {
  return `${subject} ${String(facts['previous_quantity'])} → ${String(facts['quantity'])}`
}

/** Deletes alerts and what follows from them. */
export async function clearAlerts(db: Database): Promise<void> {
  await sql`truncate alert, alert_subject, alert_crossing, secret.alert_secret`.execute(db)
}
