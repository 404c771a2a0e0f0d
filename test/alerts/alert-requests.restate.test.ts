import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { Alert } from '../../src/contract/alert.ts'
import type { AlertDelivery } from '../../src/contract/alert-delivery.ts'
import { askAlerts, postAlert } from '../harness/clients/alerts.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'
import { clearAlerts, makeAlert } from '../harness/items/alerts.ts'
import { product, upsert } from '../harness/items/products.ts'

test.beforeEach(async ({ db }) => {
  await clearAlerts(db)
  await sql`delete from catalog.product`.execute(db)
})

test.for([
  [{ kind: 'low_price' }, 'kind'],
  [{ kind: undefined }, 'kind'],
  [{ below: undefined }, 'below'],
  [{ below: 0 }, 'below'],
  [{ below: -1 }, 'below'],
  [{ below: 1.5 }, 'below'],
  [{ below: 1e10 }, 'below'],
  [{ below: 1e300 }, 'below'],
  [{ below: null }, 'below'],
  [{ below: 'x' }, 'below'],
  [{ rearm_at: 4 }, 'rearm_at'],
  [{ rearm_at: 5.5 }, 'rearm_at'],
  [{ top: 5 }, 'top'],
  [{ mode: 'trending' }, 'mode'],
  [{ kind: 'enters_top', below: undefined, top: 10 }, 'mode'],
  [{ kind: 'enters_top', below: undefined, mode: 'worst', top: 10 }, 'mode'],
  [{ kind: 'enters_top', below: undefined, mode: 'trending' }, 'top'],
  [{ kind: 'enters_top', below: undefined, mode: 'trending', top: 0 }, 'top'],
  [{ kind: 'enters_top', below: undefined, mode: 'trending', top: 101 }, 'top'],
  [{ kind: 'enters_top', below: undefined, mode: 'trending', top: 10, rearm_at: 9 }, 'rearm_at'],
  [{ kind: 'rising_above', below: undefined, above: 0.5 }, 'above'],
  [{ kind: 'rising_above', below: undefined, above: 1e9 }, 'above'],
  [{ kind: 'rising_above', below: undefined, above: 2, rearm_at: 2.5 }, 'rearm_at'],
  [{ kind: 'finds_nothing', below: undefined, more_than: 0 }, 'more_than'],
  [{ kind: 'finds_nothing', below: undefined, more_than: 5, filter: { category: 'k' } }, 'filter'],
  [{ kind: 'finds_nothing', below: undefined, more_than: 5, rearm_at: 2 }, 'rearm_at'],
  [{ filter: { brand: 'b' } }, 'filter.brand'],
  [{ filter: 'k' }, 'filter'],
  [{ filter: { seller_id: 'x'.repeat(201) } }, 'filter.seller_id'],
  [{ filter: { category: '' } }, 'filter.category'],
  [{ filter: { product_id: 'top' } }, 'filter.product_id'],
  [{ name: '' }, 'name'],
  [{ name: 'x'.repeat(201) }, 'name'],
  [{ name: '\0' }, 'name'],
  [{ name: 'a\nb' }, 'name'],
  [{ name: '\u001B[2J' }, 'name'],
  [{ name: 'a\u0085b' }, 'name'],
  [{ name: 5 }, 'name'],
  [{ secret: 'short' }, 'secret'],
  [{ secret: 'with a blank in it' }, 'secret'],
  [{ secret: 'x'.repeat(201) }, 'secret'],
  [{ url: undefined }, 'url'],
  [{ url: 'hooks.example.com' }, 'url'],
  [{ url: 'ftp://hooks.example.com/' }, 'url'],
  [{ url: 'file:///etc/passwd' }, 'url'],
  [{ url: 'https://hooks.example.com/#part' }, 'url'],
  [{ url: 'https://hooks.example.com/a\tb' }, 'url'],
  [{ url: 'https://hooks.example.com:65536/' }, 'url'],
  [{ url: ['https://hooks.example.com/'] }, 'url'],
  [{ url: 'https://user:word@hooks.example.com/' }, 'url'],
  [{ url: 'https://hooks.example.com:0/' }, 'url'],
  [{ url: `https://hooks.example.com/${'x'.repeat(10_000)}` }, 'url'],
  [{ unknown: 1 }, 'unknown'],
] as const)('an alert with %j is refused, and names the field', async ([changes, field], { db, gateway }) => {
  const { status, body } = await postAlert(gateway, changes)
  expect({ status, code: body.error?.code }).toEqual({ status: 400, code: 'invalid_request' })
  expect(body.error!.details!.map((each) => each.field)).toContain(field)
  expect((await sql`select from alert`.execute(db)).rows).toEqual([])
})

test('an alert may be about a seller, a category and a product that the catalog does not have yet', async ({ db, gateway }) => {
  const filter = { seller_id: 'later', category: 'later', product_id: 'later' }
  expect(await postAlert(gateway, { filter })).toMatchObject({ status: 200, body: { data: { filter } } })
  for (const [hour, quantity] of [9, 3].entries()) {
    await upsert(db, [product({ ...filter, quantity, updated_at: `2026-03-01T0${hour}:00:00Z` })])
  }
  expect((await sql`select from alert_crossing`.execute(db)).rows).toHaveLength(1)
})

test('there are at most 100 alerts, also when many are made at once', async ({ db, gateway }) => {
  for (let count = 0; count < 97; count++) await makeAlert(db)
  const outcomes = await Promise.all(Array.from({ length: 8 }, () => postAlert(gateway, {})))
  expect(outcomes.filter(({ status }) => status === 200)).toHaveLength(3)
  expect(outcomes.filter(({ status }) => status === 409)).toHaveLength(5)
  const [{ id }] = (await askAlerts<Alert[]>(gateway, 'GET', '')).body.data as [Alert]
  await askAlerts(gateway, 'DELETE', `/${id}`)
  expect((await postAlert(gateway, {})).status).toBe(200)
})

test('deliveries have pages, the newest first', async ({ db, gateway }) => {
  const alert = await makeAlert(db)
  for (let hour = 0; hour < 10; hour++) {
    await upsert(db, [product({ quantity: hour % 2 === 0 ? 9 : 3, updated_at: `2026-03-01T0${hour}:00:00Z` })])
  }
  const seen: string[] = []
  const pageAfter = async (cursor: string | null): Promise<string | null> => {
    const search = `?limit=2${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}`
    const { body } = await askAlerts<AlertDelivery[]>(gateway, 'GET', `/${alert.id}/deliveries${search}`)
    seen.push(...body.data.map(({ crossed_at: at }) => at))
    return body.meta.next_cursor
  }
  const cursors = [await pageAfter(null)]
  for (let page = 0; page < 2; page++) cursors.push(await pageAfter(cursors.at(-1)!))
  expect(cursors.at(-1)).toBeNull()
  expect(seen).toHaveLength(5)
  expect(seen).toEqual(seen.toSorted().toReversed())
  for (const search of ['?limit=0', '?limit=101', '?cursor=x', '?status=lost', '?x=1']) {
    expect((await askAlerts(gateway, 'GET', `/${alert.id}/deliveries${search}`)).status).toBe(400)
  }
  expect((await askAlerts(gateway, 'GET', `/${randomUUID()}/deliveries`)).status).toBe(404)
})
