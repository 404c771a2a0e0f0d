import { sql } from 'kysely'
import type { RecommendationMetrics } from '../../../src/contract/recommendation-metrics.ts'
import type { Database } from '../../../src/store/database/connection.ts'

interface Impression {
  id: string
  shownMs: number
  shopper: string | null
  products: string[]
  key: string
}
interface Event {
  id: string
  atMs: number
  type: string
  product: string
  account: string | null
  session: string | null
  metadata: Record<string, unknown> | null
}
interface Sale {
  no: string
  orderId: string
  shopper: string
  atMs: number
}
interface Line {
  sale: string
  product: string
  currency: string
  amount: number
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

type Numbers = Omit<RecommendationMetrics, 'click_through' | 'similarity_version' | 'strategy' | 'blend' | 'day' | 'revenue'> & {
  revenue: Record<string, number>
}

/** The numbers of every day, strategy, blend and version, by event after event and impression after impression. */
export async function metricsByReference(db: Database, hours: number): Promise<Record<string, Numbers>> {
  const world = await readWorld(db)
  const metrics: Record<string, Numbers> = {}
  const of = ({ key }: Impression) =>
    (metrics[key] ??= { impressions: 0, products: 0, clicks: 0, carts: 0, purchases: 0, revenue: {} })
  for (const impression of world.impressions) {
    of(impression).impressions++
    of(impression).products += impression.products.length
  }
  const found = world.events.flatMap((event) => {
    const impression = impressionOf(world, event, hours)
    return impression === undefined ? [] : [{ event, impression, isNamed: namedBy(event) !== undefined }]
  })
  for (const { event, impression } of found) {
    if (event.type === 'click_from_recommendation') of(impression).clicks++
    if (event.type === 'add_to_cart') of(impression).carts++
    if (event.type === 'purchase') of(impression).purchases++
  }
  const purchases = found
    .filter(({ event }) => event.type === 'purchase')
    .toSorted((one, other) => other.event.atMs - one.event.atMs || (one.event.id < other.event.id ? -1 : 1))
    .toSorted((one, other) => Number(other.isNamed) - Number(one.isNamed))
  for (const sale of world.sales) {
    for (const product of new Set(world.lines.filter((line) => line.sale === sale.no).map((line) => line.product))) {
      const purchase = purchases.find(
        ({ event, isNamed }) =>
          event.product === product &&
          ((isNamed && event.metadata?.['order_id'] === sale.orderId) ||
            (shopperOf(event) === sale.shopper && event.atMs === sale.atMs)),
      )
      if (purchase === undefined) continue
      const { revenue } = of(purchase.impression)
      for (const line of world.lines) {
        if (line.sale === sale.no && line.product === product)
          revenue[line.currency] = (revenue[line.currency] ?? 0) + line.amount
      }
    }
  }
  return metrics
}

type World = Awaited<ReturnType<typeof readWorld>>

function impressionOf(world: World, event: Event, hours: number): Impression | undefined {
  const named = namedBy(event)
  if (named !== undefined) {
    const impression = world.impressions.find(({ id }) => id === named)
    return impression !== undefined && event.atMs >= impression.shownMs - DAY_MS ? impression : undefined
  }
  const persons = new Set([shopperOf(event)].map((shopper) => personOf(world, shopper)))
  if (event.account !== null && event.session !== null && !world.accountOf.has(event.session))
    persons.add(`session:${event.session}`)
  return world.impressions
    .filter(({ shopper, products, shownMs }) => {
      const isInTime = shownMs <= event.atMs && event.atMs - shownMs <= hours * HOUR_MS
      return shopper !== null && isInTime && products.includes(event.product) && persons.has(personOf(world, shopper))
    })
    .toSorted((one, other) => other.shownMs - one.shownMs || (one.id > other.id ? -1 : 1))[0]
}

function namedBy({ metadata }: Event): string | undefined {
  const named = metadata?.['recommendation_id']
  return typeof named === 'string' && UUID.test(named) ? named.toLowerCase() : undefined
}

const shopperOf = ({ account, session }: Event) => (account === null ? `session:${session}` : `account:${account}`)

function personOf({ accountOf }: World, shopper: string): string {
  const account = shopper.startsWith('session:') ? accountOf.get(shopper.slice('session:'.length)) : undefined
  return account === undefined ? shopper : `account:${account}`
}

async function readWorld(db: Database) {
  const impressions = await sql<Impression>`
    select recommendation_id as id, extract(epoch from shown_at)::float8 * 1000 as "shownMs", shopper_id as shopper, product_ids as products,
      to_char(shown_at at time zone 'UTC', 'YYYY-MM-DD') || ' ' || strategy || ' ' || blend || ' ' || similarity_version as key
    from impression`.execute(db)
  const events = await sql<Event>`
    select event_id as id, extract(epoch from occurred_at)::float8 * 1000 as "atMs", event_type as type, ref_id as product,
      account_id as account, session_id as session, metadata from interaction where not is_category`.execute(db)
  const redirects = await sql<{ session: string; account: string }>`
    select session_id as session, account_id as account from shopper_redirect`.execute(db)
  const sales = await sql<Sale>`
    select callback_no as no, order_id as "orderId", extract(epoch from occurred_at)::float8 * 1000 as "atMs",
      case when account_id is not null then 'account:' || account_id when session_id is not null then 'session:' || session_id
        else 'session:order:' || order_id end as shopper
    from payment_callback where status = 'success' and reverses is null`.execute(db)
  const lines = await sql<Line>`
    select sale_no as sale, product_id as product, currency, amount::float8 as amount from sale_line where product_id is not null`.execute(
    db,
  )
  return {
    impressions: impressions.rows,
    events: events.rows,
    accountOf: new Map(redirects.rows.map(({ session, account }) => [session, account])),
    sales: sales.rows,
    lines: lines.rows,
  }
}
