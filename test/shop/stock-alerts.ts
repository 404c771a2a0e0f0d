import { sql } from 'kysely'
import { requireSignature } from '../../src/gateway/access/webhook-signature.ts'
import type { Database } from '../../src/store/database/connection.ts'
import type { Received } from '../harness/servers/webhook-receiver.ts'
import type { Compared } from './checks.ts'

export interface StockAlert {
  id: string
  secret: string
}

/** Makes an alert about low stock as a shop does. */
export async function makeStockAlert(gatewayUrl: string, url: string, filter: object): Promise<StockAlert> {
  const answer = await fetch(`${gatewayUrl}/api/v1/alerts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'Stock runs low', kind: 'low_stock', below: 10, url, filter }),
  })
  const { data, meta } = (await answer.json()) as { data: { id: string }; meta: { secret: string } }
  return { id: data.id, secret: meta.secret }
}

/** The crossings of the database, each of which was received once, with the signature of its alert. */
export async function checkDeliveries(
  db: Database,
  received: readonly Received[],
  alerts: readonly StockAlert[],
): Promise<Compared> {
  const { rows } = await sql<{ id: string; status: string }>`
    select delivery_id as id, status from alert_crossing order by 1`.execute(db)
  const differences = rows.flatMap(({ id, status }) => {
    const times = received.filter(({ body }) => body.delivery_id === id).length
    return times === 1 && status === 'delivered' ? [] : [`delivery ${id} is ${status}, and was received ${times} times`]
  })
  for (const { headers, text, body } of received) {
    const secrets = alerts.flatMap(({ id, secret }) => (id === body.alert_id ? [secret] : []))
    try {
      const header = headers['x-signature']
      const time = Number(/t=(\d+)/.exec(String(header))?.[1])
      requireSignature({ name: 'x-signature', header, body: Buffer.from(text), secrets, nowMs: time * 1_000 })
    } catch (error) {
      differences.push(`delivery ${body.delivery_id}: ${(error as Error).message}`)
    }
  }
  return { compared: rows.length, differences }
}
