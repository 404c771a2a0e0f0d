import { randomUUID } from 'node:crypto'
import type { Product } from '../../src/contract/product.ts'
import { instantOf } from '../../src/contract/fields/time.ts'
import { signatureOf } from '../../src/external/webhook-signature.ts'
import { traffic } from '../bench/items/events.ts'
import { paymentCallback } from '../bench/items/payments.ts'

/** One request of a shop's traffic. */
export interface SoakRequest {
  kind: string
  path: string
  /** GET without a body. */
  body?: string
  headers?: Record<string, string>
  /** Events that it records. */
  events: number
}

/** Makes requests: out of a thousand so many of each kind. */
export interface Maker {
  share: number
  make: () => Omit<SoakRequest, 'kind'>
}

const INTERACTION = '/api/v1/analytic/interaction'

/** The traffic of a shop: most requests are single events and reads, most events come in lists. */
export function makersOf(paymentSecret: string): Record<string, Maker> {
  const newItem = traffic(Date.now() % 2 ** 31)
  const random = (below: number) => Math.floor(Math.random() * below)
  const events = (count: number) => () => {
    const interactions = Array.from({ length: count }, () => newItem(Date.now()))
    return { path: INTERACTION, body: JSON.stringify({ interactions }), events: count }
  }
  const read = (path: () => string) => () => ({ path: path(), events: 0 })
  let payments = 0
  return {
    single: { share: 520, make: events(1) },
    hundred: { share: 30, make: events(100) },
    thousand: { share: 4, make: events(1_000) },
    search: { share: 60, make: () => ({ path: '/api/v1/search', body: JSON.stringify(search(random)), events: 1 }) },
    payment: {
      share: 20,
      make: () => {
        const body = JSON.stringify(paymentCallback(payments++))
        const headers = { 'x-signature': signatureOf(body, paymentSecret, Date.now()) }
        return { path: '/api/v1/orders/payment/callback', body, headers, events: 0 }
      },
    },
    catalog: {
      share: 10,
      make: () => ({ path: '/api/v1/catalog/products', body: JSON.stringify({ products: [product(random)] }), events: 0 }),
    },
    top: { share: 200, make: read(() => `/api/v1/analytic/popularity/top?limit=${1 + random(100)}`) },
    product: { share: 100, make: read(() => `/api/v1/analytic/popularity/p-${1 + random(1_000)}`) },
    popular: {
      share: 40,
      make: read(() => `/api/v1/products/popular?mode=most_viewed&time_window_days=7&limit=${1 + random(50)}`),
    },
    dashboard: {
      share: 10,
      make: read(
        () => `/api/v1/analytic/seller-dashboard?seller_id=seller-${random(1_000)}&start=${daysAgo(30)}&end=${daysAgo(0)}`,
      ),
    },
    wrong: { share: 6, make: () => ({ path: INTERACTION, body: '{"interactions":[{"event_type":"view"}]}', events: 0 }) },
  }
}

function search(random: (below: number) => number) {
  const products = Array.from({ length: random(10) }, () => `p-${1 + random(1_000)}`)
  return {
    event_id: randomUUID(),
    occurred_at: instantOf(Date.now()),
    query: `lamp ${random(500)}`,
    session_id: `s-${random(9_999)}`,
    product_ids: products,
  }
}

function product(random: (below: number) => number): Partial<Product> {
  const id = `p-${1 + random(50_000)}`
  return {
    product_id: id,
    name: id,
    category: `c-${random(50)}`,
    price: 100 + random(10_000),
    currency: 'EUR',
    status: 'active',
    updated_at: instantOf(Date.now()),
  }
}

function daysAgo(days: number): string {
  return instantOf(Date.now() - days * 86_400_000).slice(0, 10)
}
