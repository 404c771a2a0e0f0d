import { parseArgs } from 'node:util'
import { sql } from 'kysely'
import { createAdmin } from '../../src/consumer/client.ts'
import { lagOf } from '../../src/consumer/lag.ts'
import { readConfig } from '../../src/main/config/config.ts'
import { databaseUrlOf } from '../../src/main/database/database-url.ts'
import { until } from '../../src/main/embedded/until.ts'
import { connect, type Database } from '../../src/store/database/connection.ts'
import { storedOffsets } from '../../src/store/kafka/offset.ts'
import { printTable } from '../bench/measure/table.ts'
import { runCommandProcess } from '../harness/programs/command-process.ts'
import { startProgram, type Program } from '../harness/programs/program.ts'
import { NO_KAFKA, startBroker } from '../harness/servers/kafka/broker.ts'
import { makeTopics, type TestTopics } from '../harness/servers/kafka/topics.ts'
import { startWebhookReceiver } from '../harness/servers/webhook-receiver.ts'
import { catalogRows } from './catalog-file.ts'
import { checkAnswers, checkCatalog, checkHistory, checkMetrics, type Compared, compare, rejectedFields } from './checks.ts'
import { killConsumerInTransaction, killEverything, killStart } from './deaths.ts'
import { checkDeliveries, makeStockAlert, type StockAlert } from './stock-alerts.ts'
import { fallOfWatched, shopOf, WATCHED, WATCHED_SELLER } from './shop-records.ts'
import { WRONG_RECORDS } from './wrong-records.ts'

/**
 * Sends a catalog with updates, deletes, wrong records and interactions through a real broker to a new `npm start`, kills the consumer in its
 * transaction, the start, and everything at once, and then compares what is stored, counted and delivered with the reference. Prints what it
 * found as a table, and ends with status 1 when something differs.
 */
const { values, positionals } = parseArgs({
  options: { partitions: { type: 'string', default: '4' }, rows: { type: 'string', default: 'Infinity' } },
  allowPositionals: true,
})
const LOW_BELOW = 10
const LAG_MS_MAX = 1_800_000
const HISTORY_MS_MAX = 180_000
const SETTLED_MS_MAX = 120_000

const [path] = positionals
if (path === undefined) throw new Error('name a catalog with the columns product_id, category_id, category_code and brand')
if (NO_KAFKA !== undefined) throw new Error(NO_KAFKA)
const rows = (await catalogRows(path)).slice(0, Number(values.rows))
const shop = shopOf(rows)
const broker = await startBroker()
const topics = await makeTopics(broker.address, Number(values.partitions))
const receiver = await startWebhookReceiver()
const program = await startProgram({
  ...{ KAFKA_BROKERS: broker.address, KAFKA_GROUP: topics.groupId, ALERT_PRIVATE_TARGETS: 'on' },
  ...{ KAFKA_TOPIC_CREATED: topics.nameOf.ProductCreated, KAFKA_TOPIC_UPDATED: topics.nameOf.ProductUpdated },
  ...{ KAFKA_TOPIC_DELETED: topics.nameOf.ProductDeleted, KAFKA_TOPIC_INTERACTIONS: topics.nameOf.interaction },
})
const url = await databaseUrlOf(readConfig(program.environment))
const db = connect({ url, name: 'shop', connectionsMax: 4, statementMsMax: 0 })
try {
  await run(program, db, topics)
} finally {
  await db.destroy()
  await program.stop()
  await receiver.stop()
  await topics.close()
  await broker.stop()
}

async function run(program: Program, db: Database, topics: TestTopics): Promise<void> {
  const gatewayUrl = program.urlOf('GATEWAY_PORT')
  const alerts = [
    await makeStockAlert(gatewayUrl, receiver.url, { product_id: WATCHED.productId }),
    await makeStockAlert(gatewayUrl, receiver.url, { seller_id: WATCHED_SELLER }),
  ]
  const startedMs = performance.now()
  await topics.send(shop.parts[0])
  for (const share of [0.2, 0.4]) {
    await untilRead(share * shop.parts[0].length)
    await killConsumerInTransaction(program, db)
  }
  await untilRead(0.6 * shop.parts[0].length)
  await killStart(program)
  await untilNoLag()
  const falls = [fallOfWatched(3, 200), fallOfWatched(1, 201)]
  await topics.send([falls[0]!.record, falls[0]!.record, ...shop.parts[1], falls[1]!.record])
  await untilRead(shop.parts[0].length + 0.4 * shop.parts[1].length)
  await killEverything(program)
  await untilRead(shop.parts[0].length + 0.7 * shop.parts[1].length)
  await killConsumerInTransaction(program, db)
  await untilNoLag()
  const seconds = (performance.now() - startedMs) / 1_000
  shop.versions.push(...falls.map(({ version }) => version))
  await report(seconds, alerts)
}

/** Until so many records are stored. */
async function untilRead(records: number): Promise<void> {
  const isThere = async () => (await readRecords().catch(() => 0)) >= records
  if (!(await until(isThere, LAG_MS_MAX))) throw new Error(`${await readRecords()} records were read, and not ${records}`)
}

async function readRecords(): Promise<number> {
  return (await storedOffsets(db)).reduce((sum, { next }) => sum + Number(next), 0)
}

async function untilNoLag(): Promise<void> {
  const isRead = async () => (await lag().catch(() => 1)) === 0
  if (!(await until(isRead, LAG_MS_MAX))) throw new Error(`${await lag()} records were not read`)
}

async function lag(): Promise<number> {
  const admin = createAdmin(topics.settings)
  try {
    const lags = await lagOf(admin, [...topics.topics.keys()], await storedOffsets(db))
    return lags.reduce((sum, { behind }) => sum + Number(behind ?? 1), 0)
  } finally {
    await admin.close()
  }
}

/** Until everything is counted, and the history has the newest states; a key has one a minute. */
async function untilSettled(): Promise<void> {
  const countOf = async (what: string) => Number((await sql<{ n: string }>`${sql.raw(what)}`.execute(db)).rows[0]!.n)
  const waiting = 'select count(*) as n from interaction_batch where scored_at is null or fed_at is null'
  if (!(await until(async () => (await countOf(waiting)) === 0, SETTLED_MS_MAX))) throw new Error('events are not counted')
  const due = `select (select count(*) from product_metric_change where is_due or pending_at is not null)
    + (select count(*) from product_metric_delta) + (select count(*) from alert_crossing where status = 'pending') as n`
  if (!(await until(async () => (await countOf(due)) === 0, HISTORY_MS_MAX))) throw new Error('metrics or deliveries still wait')
}

async function report(seconds: number, alerts: readonly StockAlert[]): Promise<void> {
  await untilSettled()
  const records = shop.parts.flat().length + 3
  const status = await runCommandProcess(['kafka', 'status', '--json'], program.environment)
  const behind = (JSON.parse(status.output) as { behind: number }[]).reduce((sum, each) => sum + each.behind, 0)
  const verified = await runCommandProcess(['verify'], program.environment)
  const wrong = Array.from({ length: shop.rejected }, (_, place) => WRONG_RECORDS[place % WRONG_RECORDS.length]!.field ?? '')
  const expectedFields = Object.fromEntries([...Map.groupBy(wrong, (field) => field)].map(([field, all]) => [field, all.length]))
  const views = await sql<{ n: number }>`select count(*)::int as n from interaction`.execute(db)
  const checks: Record<string, Compared> = {
    'products, by the newest version of each': await checkCatalog(db, shop.versions),
    'cells of metrics, by one statement and product by product': await checkMetrics(db),
    'answers about sellers, categories and low stock': await checkAnswers(db, program.urlOf('GATEWAY_PORT'), LOW_BELOW),
    'keys of the history, by the present': await checkHistory(db),
    'fields of rejected records': compare(await rejectedFields(db), expectedFields),
    interactions: compare({ n: views.rows[0]!.n }, { n: shop.views }),
    'commands: verify, kafka status': compare({ verify: verified.code, behind }, { verify: 0, behind: 0 }),
    'deliveries of alerts': await checkDeliveries(db, receiver.received, alerts),
  }
  const toWatched = receiver.received.filter(({ body }) => body.alert_id === alerts[0]!.id)
  if (toWatched.length !== 1) checks['deliveries of alerts']!.differences.push(`${toWatched.length} about the watched product`)
  printTable(
    ['what', 'figure'],
    [
      ['products of the file', new Set(rows.map(({ productId }) => productId)).size],
      ['records', records],
      ['of them rejected', shop.rejected],
      ['seconds until nothing was left, with the kills', seconds],
      ['records/s', records / seconds],
      ['kills of the consumer inside its transaction, whose batch was repeated', 3],
      ['kills of npm start', 1],
      ['kills of everything, PostgreSQL and Restate too', 1],
      ['records behind at the end', behind],
      ['crossings, each delivered once', receiver.received.length],
    ],
  )
  printTable(
    ['compared', 'how many', 'differences'],
    Object.entries(checks).map(([name, { compared, differences }]) => [name, compared, differences.length]),
  )
  const differences = Object.values(checks).flatMap((check) => check.differences)
  for (const difference of differences.slice(0, 20)) console.error(difference.slice(0, 500))
  if (verified.code !== 0) console.error(verified.output)
  process.exitCode = differences.length === 0 ? 0 : 1
}
