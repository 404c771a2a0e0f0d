import type { Alert } from '../../../src/contract/alert.ts'
import type { AlertDelivery } from '../../../src/contract/alert-delivery.ts'

export interface AlertAnswer<T> {
  status: number
  body: {
    data: T
    meta: { secret: string; next_cursor: string | null }
    error?: { code: string; message: string; details?: { field: string }[] }
  }
}

interface Gateway {
  url: string
}

/** Asks the routes of alerts; `path` is what follows `/api/v1/alerts`. */
export async function askAlerts<T>({ url }: Gateway, method: string, path: string, body?: unknown): Promise<AlertAnswer<T>> {
  const init = body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  const response = await fetch(`${url}/api/v1/alerts${path}`, { method, ...init })
  return { status: response.status, body: (await response.json()) as AlertAnswer<T>['body'] }
}

/** Asks for an alert about low stock, with other values where given. */
export function postAlert(gateway: Gateway, changes: object): Promise<AlertAnswer<Alert>> {
  const stock = { name: 'Stock', kind: 'low_stock', below: 5, url: 'http://127.0.0.1:9/' }
  return askAlerts(gateway, 'POST', '', { ...stock, ...changes })
}

/** The deliveries of an alert. */
export async function listDeliveries(gateway: Gateway, id: string, search = ''): Promise<AlertDelivery[]> {
  return (await askAlerts<AlertDelivery[]>(gateway, 'GET', `/${id}/deliveries${search}`)).body.data
}
