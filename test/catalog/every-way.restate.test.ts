import { rm } from 'node:fs/promises'
import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { KafkaRecord } from '../../src/admission/kafka-record.ts'
import type { Alert } from '../../src/contract/alert.ts'
import type { Product } from '../../src/contract/product.ts'
import type { MetricState } from '../../src/contract/product-metrics.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { seek, storedOffsets } from '../../src/store/kafka/offset.ts'
import { postgresHistory } from '../../src/store/metrics/postgres-history.ts'
import { PRODUCT_METRIC } from '../../src/store/proof/product-metric-drift.ts'
import { gatewayTest } from '../harness/fixtures.ts'
import { clearAlerts, crossings, makeAlert, textOfCrossing } from '../harness/items/alerts.ts'
import { importProducts, readRecords } from '../harness/items/catalog-ways.ts'
import { clearCatalog, expectedMetrics, foldAndRecord, storedMetrics } from '../harness/items/product-metrics.ts'
import { expectedCatalogue, storedCatalogue } from '../harness/items/products.ts'
import { type LoggedRecord, loggedRecord, sentVersion } from '../harness/items/catalog-arbitraries.ts'
import { mirrored } from '../harness/items/records.ts'
import { keepStoredVersions, storedVersions } from '../harness/items/stored-versions.ts'
import { areStatesOf, expectedCrossings, expectedLowStock, type StoredVersion } from '../harness/reference/catalog.ts'
import { makeDataFolder } from '../harness/servers/data-folder.ts'
import { atFailPoints } from '../harness/servers/fail-points.ts'

/** CATALOG_RUNS=1000 takes about five minutes. */
const RUNS = Number(process.env['CATALOG_RUNS'] ?? 15)
const LOW_BELOW = 10

/** How often the endpoint still dies after it has committed. */
let deaths = 0
const dying = atFailPoints((point) => {
  if (point === 'update the catalogue' && deaths-- > 0) throw new Error('died')
})
const test = gatewayTest
  .extend('services', { scope: 'file' }, { hooks: [dying] })
  .extend('folder', { scope: 'file' }, async ({}, { onCleanup }) => {
    const folder = makeDataFolder('every-way')
    onCleanup(() => rm(folder, { recursive: true, force: true }))
    return folder
  })
  .extend('alerts', { scope: 'file' }, async ({ db }) => {
    await keepStoredVersions(db)
    await clearAlerts(db)
    return Promise.all([
      makeAlert(db, { kind: 'low_stock', below: 10, rearm_at: 12 }),
      makeAlert(db, { kind: 'low_stock', below: 5, filter: { seller_id: 'north' } }),
      makeAlert(db, { kind: 'low_stock', below: 5, rearm_at: 9, filter: { category: 'seats' } }),
    ])
  })

const call = fc.record({
  way: fc.constantFrom('REST', 'handler', 'file'),
  products: fc.array(sentVersion, { minLength: 1, maxLength: 4 }),
  isRepeated: fc.boolean(),
  dies: fc.boolean(),
})
const traffic = fc
  .record({
    log: fc.array(loggedRecord, { maxLength: 40, size: 'max' }),
    repeated: fc.array(fc.nat(), { maxLength: 5 }),
    /** Of each consumer. */
    batchRecords: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 }),
    clients: fc.array(fc.array(call, { maxLength: 3 }), { maxLength: 3 }),
    clock: fc.array(fc.constantFrom('fold', 'minute', 'compare', 'seek'), { maxLength: 8 }),
    isInOrder: fc.boolean(),
  })
  .map(({ isInOrder, ...rest }) => {
    if (!isInOrder) return rest
    // Writers that send older versions first, so that more of them are stored.
    const timeOf = ({ products }: { products: Product[] }) => Date.parse(products[0]!.updated_at)
    const clients = rest.clients.map((calls) => calls.toSorted((one, other) => timeOf(one) - timeOf(other)))
    return { ...rest, clients, log: rest.log.toSorted((one, other) => one.timeMs - other.timeMs) }
  })

test('product events and products, in any order, interleaving and repetition, by Kafka, REST, Restate and files at once, give what the reference does', async ({
  db,
  stack,
  gateway,
  folder,
  alerts,
}) => {
  const send = sendersOf(gateway.url, stack.ingressUrl, folder)
  const property = fc.asyncProperty(traffic, async ({ log, repeated, batchRecords, clients, clock }) => {
    await clearAll(db)
    deaths = 0
    const again = log.length === 0 ? [] : repeated.map((place) => log[place % log.length]!)
    const logged = withOffsets([...log, ...again])
    const records = logged.map(({ record }) => record)
    const consumers = batchRecords.map((count) => readRecords(db, records, count))
    const callers = clients.map(async (calls) => {
      for (const { way, products, isRepeated, dies } of calls) {
        deaths += dies ? 1 : 0
        await send[way](products)
        if (isRepeated) await send[way](products)
      }
    })
    await Promise.all([...consumers, ...callers, passTime(db, clock, records)])
    // An operator may have moved an offset after a consumer had ended.
    await readRecords(db, records, 5)
    await passTime(db, ['fold', 'minute', 'fold'], records)
    const byKafka = logged.flatMap(({ event }) => (event === undefined ? [] : [mirrored(event)]))
    await checkAll(db, [...byKafka, ...clients.flat().flatMap(({ products }) => products)], logged, alerts)
  })
  await fc.assert(property, { numRuns: RUNS })
}, 600_000)

function sendersOf(gatewayUrl: string, ingressUrl: string, folder: string) {
  let files = 0
  const post = async (url: string, products: readonly Product[]) => {
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ products }) })
    expect([answer.status, await answer.json()]).toMatchObject([200, {}])
  }
  return {
    REST: (products: readonly Product[]) => post(`${gatewayUrl}/api/v1/catalog/products`, products),
    handler: (products: readonly Product[]) => post(`${ingressUrl}/Catalog/UpsertProducts`, products),
    file: async (products: readonly Product[]) =>
      expect(await importProducts(ingressUrl, folder, `${++files}`, products)).toBe(0),
  }
}

async function clearAll(db: Database): Promise<void> {
  await clearCatalog(db)
  for (const table of ['rejected_interaction', 'interaction_batch', 'kafka_offset', 'alert_crossing', 'alert_subject']) {
    await sql`delete from ${sql.table(table)}`.execute(db)
  }
  await sql`truncate stored_version`.execute(db)
}

function withOffsets(log: readonly LoggedRecord[]): (LoggedRecord & { record: KafkaRecord })[] {
  const next = new Map<string, bigint>()
  return log.map((logged) => {
    const place = `${logged.record.topic}/${logged.record.partition}`
    const offset = (next.get(place) ?? -1n) + BigInt(logged.gap)
    next.set(place, offset)
    return { ...logged, record: { ...logged.record, offset } }
  })
}

/** What happens beside the writers, one after the other; folds come in pairs. A compare proves the metrics at that instant. */
async function passTime(db: Database, steps: readonly string[], records: readonly KafkaRecord[]): Promise<void> {
  for (const step of steps) {
    if (step === 'fold') await Promise.all([1, 2].map(() => foldAndRecord(db, postgresHistory(db))))
    if (step === 'compare') expect((await PRODUCT_METRIC.prove(db, {} as never)).drift).toEqual([])
    if (step === 'seek' && records[0] !== undefined) await seek(db, { ...records[0], next: 0n }, 'ada')
    if (step === 'minute') {
      await sql`update product_metric_history set at = at - interval '1 minute'`.execute(db)
      await sql`update product_metric_change set recorded_at = recorded_at - interval '1 minute'`.execute(db)
    }
  }
}

async function checkAll(
  db: Database,
  versions: readonly Product[],
  logged: readonly (LoggedRecord & { record: KafkaRecord })[],
  alerts: readonly Alert[],
): Promise<void> {
  const catalogue = expectedCatalogue(versions)
  expect(await storedCatalogue(db)).toEqual(catalogue)
  const products = Object.values(catalogue).map((text) => JSON.parse(text) as Product)
  expect(await storedMetrics(db)).toEqual(expectedMetrics(products))
  expect((await PRODUCT_METRIC.prove(db, {} as never)).drift).toEqual([])
  const stored = await storedVersions(db)
  await checkHistory(db, stored)
  await checkCrossings(db, stored, alerts)
  const placeOf = ({ topic, partition, offset }: Pick<KafkaRecord, 'topic' | 'partition' | 'offset'>) =>
    `${topic}/${partition}/${offset}`
  const rejected = await sql<KafkaRecord>`select topic, partition, "offset" from rejected_event`.execute(db)
  const wrong = logged.filter(({ event }) => event === undefined).map(({ record }) => placeOf(record))
  expect(rejected.rows.map(placeOf).toSorted()).toEqual(wrong.toSorted())
  const ends = new Map(logged.map(({ record }) => [`${record.topic}/${record.partition}`, record.offset + 1n]))
  expect(new Map((await storedOffsets(db)).map(({ topic, partition, next }) => [`${topic}/${partition}`, next]))).toEqual(ends)
}

async function checkHistory(db: Database, stored: readonly StoredVersion[]): Promise<void> {
  const keys = new Set(stored.flatMap(({ seller_id: seller, category }) => [`SELLER#${seller}`, `CATEGORY#${category}`]))
  const history = postgresHistory(db)
  for (const key of [...keys, 'LOWSTOCK'].filter((each) => !each.endsWith('#null'))) {
    const series = await history.series(key, { fromMs: 0, toMs: Date.now() + 60_000, limit: 100 })
    const states = series.toReversed().map(({ state }): MetricState => ({ ...state, last_updated: null }))
    const isRight = areStatesOf(key, states, stored, LOW_BELOW)
    if (!isRight) expect({ key, states, stored }).toEqual('states that the key had, in their order, and the last one')
    const times = series.map(({ atMs }) => atMs)
    expect(times.slice(1).every((atMs, place) => times[place]! - atMs >= 60_000)).toBe(true)
  }
}

async function checkCrossings(db: Database, stored: readonly StoredVersion[], alerts: readonly Alert[]): Promise<void> {
  const told = await crossings(db)
  for (const alert of alerts) {
    const ours = told.filter(({ alert_id: id }) => id === alert.id).map(textOfCrossing)
    expect(ours.toSorted()).toEqual(expectedCrossings(alert, stored).toSorted())
  }
  const { rows } = await sql<{ product_id: string; text: string }>`
    select product_id, product_id || ' ' || coalesce(quantity_before::text, 'null') || ' → ' || coalesce(quantity::text, 'null')
      || case when is_low then ' low' else '' end as text
    from low_stock_crossing order by crossing_id`.execute(db)
  for (const [id, versions] of Map.groupBy(stored, ({ product_id }) => product_id)) {
    const ours = rows.filter(({ product_id }) => product_id === id).map(({ text }) => text)
    expect(ours).toEqual(expectedLowStock(versions, LOW_BELOW))
  }
}
