import { sql } from 'kysely'
import { DeleteTableCommand, DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb'
import { expect } from 'vitest'
import type { MetricHistory, NextState } from '../../src/contract/metric-history.ts'
import type { SellerMetrics } from '../../src/contract/product-metrics.ts'
import { createDynamoHistory } from '../../src/external/dynamo-history.ts'
import { createHistoryTable } from '../../src/external/dynamo-table.ts'
import { metricsCommand } from '../../src/cli/commands/metrics.ts'
import { metricsAnswer } from '../../src/store/metrics/answer.ts'
import { postgresHistory } from '../../src/store/metrics/postgres-history.ts'
import { pgTest } from '../harness/fixtures.ts'
import { clearCatalog, foldAndRecord } from '../harness/items/product-metrics.ts'
import { product, upsert } from '../harness/items/products.ts'
import { runCommand } from '../harness/programs/command.ts'
import { type DynamoProxy, type DynamoTrouble, startDynamoProxy } from '../harness/servers/dynamo-proxy.ts'
import { noObjectServer, startObjectServer } from '../harness/servers/object-server.ts'
import { HISTORY_CONTRACT } from './history-contract.ts'

const TABLE = 'footfall-metrics'
const noServer = await noObjectServer()
if (noServer !== undefined) console.log(`tests of DynamoDB are skipped: ${noServer}`)

/** A table without items for each test, and a history through the proxy. */
const dynamoTest = pgTest
  .extend('server', { scope: 'file' }, async ({}, { onCleanup }) => {
    const names = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']
    for (const name of names) process.env[name] = 'test'
    const server = await startObjectServer()
    onCleanup(async () => {
      for (const name of names) delete process.env[name]
      await server.stop()
    })
    return server
  })
  .extend('proxy', { scope: 'file' }, async ({ server }, { onCleanup }) => {
    const proxy = await startDynamoProxy(server.url)
    onCleanup(proxy.stop)
    return proxy
  })
  .extend('client', { scope: 'file' }, async ({ server }, { onCleanup }) => {
    const client = new DynamoDBClient({ region: 'eu-central-1', endpoint: server.url })
    onCleanup(() => client.destroy())
    return client
  })
  .extend('history', async ({ proxy, client }, { onCleanup }): Promise<MetricHistory> => {
    const place = { table: TABLE, region: 'eu-central-1', endpoint: proxy.url }
    await client.send(new DeleteTableCommand({ TableName: TABLE })).catch(() => undefined)
    await createHistoryTable(place)
    Object.assign(proxy, { trouble: () => undefined, made: 0, batches: [], pageItemsMax: 1_000 })
    const history = createDynamoHistory(place)
    onCleanup(history.close)
    return history
  })
const test = dynamoTest.skipIf(noServer !== undefined)

const stateOf = (n: number) => ({ low_stock_count: n, last_updated: null })
const MINUTE_MS = 60_000

/** States of so many keys, each of which replaces another one. */
function replacing(keys: number): NextState[] {
  const atMs = Date.now()
  return Array.from({ length: keys }, (_, n) => ({
    ...{ key: `SELLER#${n}`, atMs, state: stateOf(n + 1) },
    replaced: { atMs: atMs - MINUTE_MS, state: stateOf(n) },
  }))
}

async function itemsIn(client: DynamoDBClient): Promise<{ key: string; atMs: number; ttl: number | undefined; state: string }[]> {
  const { Items: items = [] } = await client.send(new ScanCommand({ TableName: TABLE }))
  return items
    .map(({ PK: key, SK: sort, TTL: ttl, State: state }) => ({
      key: key!.S!,
      atMs: Number(sort!.S!.replace('METRICS#', '')),
      ttl: ttl === undefined ? undefined : Number(ttl.N),
      state: state!.S!,
    }))
    .sort((a, b) => a.key.localeCompare(b.key, 'en') || a.atMs - b.atMs)
}

test.for(Object.keys(HISTORY_CONTRACT))('in DynamoDB, %s', async (title, { history }) => {
  await HISTORY_CONTRACT[title]!(async () => history)
})

test('in DynamoDB with small pages, a series has the states of its range, the newest first, and pages', async ({
  history,
  proxy,
}) => {
  proxy.pageItemsMax = 7
  await HISTORY_CONTRACT['a series has the states of its range, the newest first, and pages']!(async () => history)
})

test('batches have at most 25 items with distinct keys, and an item expires 30 days after it was replaced', async ({
  history,
  proxy,
  client,
}) => {
  const states = replacing(60)
  await history.keep(states)
  expect(proxy.batches.map((keys) => keys.length)).toEqual([25, 25, 10])
  for (const keys of proxy.batches) expect(new Set(keys).size).toBe(keys.length)
  const items = await itemsIn(client)
  expect(items).toHaveLength(120)
  const expiry = Math.ceil(states[0]!.atMs / 1_000) + 30 * 86_400
  expect(items.filter(({ ttl }) => ttl === expiry).map(({ atMs }) => atMs)).toEqual(states.map(({ replaced }) => replaced!.atMs))
  expect(items.filter(({ ttl }) => ttl === undefined).map(({ atMs }) => atMs)).toEqual(states.map(({ atMs }) => atMs))
})

/** Makes the trouble for the first calls of an operation. */
function troubleFor(proxy: DynamoProxy, trouble: DynamoTrouble, operation: string, times: number): void {
  proxy.made = 0
  proxy.trouble = (called) => (called === operation && proxy.made < times ? trouble : undefined)
}

test.for([
  ['unprocessed', 'BatchWriteItem'],
  ['throttle', 'BatchWriteItem'],
  ['throttle', 'UpdateItem'],
  ['cut before', 'UpdateItem'],
  ['cut after', 'BatchWriteItem'],
  ['cut after', 'UpdateItem'],
  ['throttle', 'Query'],
  ['cut after', 'Query'],
] as const)('%s of %s loses no state and doubles none', async ([trouble, operation], { history, proxy, client }) => {
  const states = replacing(30)
  troubleFor(proxy, trouble, operation, trouble === 'unprocessed' ? 6 : 2)
  await history.keep(states)
  expect((await history.at('SELLER#7', Date.now()))?.state).toEqual(stateOf(8))
  expect(proxy.made).toBe(trouble === 'unprocessed' ? 6 : 2)
  const items = await itemsIn(client)
  expect(items).toHaveLength(60)
  expect(items.filter(({ ttl }) => ttl !== undefined)).toHaveLength(30)
})

test('a table that takes nothing, is missing, or does not answer is an error that says so', async ({
  history,
  proxy,
  client,
}) => {
  proxy.trouble = (operation) => (operation === 'BatchWriteItem' ? 'unprocessed' : undefined)
  const one = replacing(1)
  await expect(history.keep(one)).rejects.toMatchObject({ code: 'unavailable', cause: { message: '1 items were not processed' } })
  proxy.trouble = () => 'cut before'
  await expect(history.at('SELLER#0', Date.now())).rejects.toMatchObject({ code: 'unavailable' })
  proxy.trouble = () => undefined
  await history.keep(one)
  expect(await itemsIn(client)).toHaveLength(2)
  await client.send(new DeleteTableCommand({ TableName: TABLE }))
  await expect(history.at('SELLER#0', Date.now())).rejects.toThrow(
    `the table ${TABLE} of DynamoDB cannot be used (ResourceNotFoundException)`,
  )
})

test.for(['UpdateItem', 'BatchWriteItem'] as const)(
  'a task that dies around %s between DynamoDB and PostgreSQL writes the same items in its next attempt',
  async (operation, { db, history, proxy, client }) => {
    await clearCatalog(db)
    const version = (n: number) =>
      upsert(db, [product({ seller_id: 'north', quantity: n, price: 1, currency: 'EUR', updated_at: `2026-03-01T12:00:0${n}Z` })])
    const sellerItems = async () => (await itemsIn(client)).filter(({ key }) => key === 'SELLER#north')
    const valueOf = ({ state }: { state: string }) => (JSON.parse(state) as SellerMetrics).amounts[0]!.amount
    await version(1)
    // As before a change of METRICS_STORE: the table has no state yet.
    await foldAndRecord(db, postgresHistory(db))
    await sql`update product_metric_change set recorded_at = recorded_at - interval '2 minutes'`.execute(db)
    const recorded = await sql<{
      at: Date
    }>`select recorded_at as at from product_metric_change where key = 'SELLER#north'`.execute(db)
    // The items are written, and no attempt of the SDK has an answer.
    proxy.trouble = (called) => (called === operation ? 'cut after' : undefined)
    await version(2)
    await expect(foldAndRecord(db, history)).rejects.toMatchObject({ code: 'unavailable' })
    const written = (await sellerItems()).at(-1)!
    proxy.trouble = () => undefined
    await version(3)
    await foldAndRecord(db, history)
    const kept = await sellerItems()
    expect(kept.at(-1)).toEqual(written)
    expect(kept.map(valueOf)).toEqual([1, 2])
    expect(kept.map(({ ttl }) => ttl !== undefined)).toEqual([true, false])
    expect(kept[0]!.atMs).toBe(recorded.rows[0]!.at.getTime())
  },
)

test('the command creates the table and reads from it, and answers at an instant come from it', async ({
  db,
  database: { url },
  server,
  client,
  history,
}) => {
  await clearCatalog(db)
  await client.send(new DeleteTableCommand({ TableName: TABLE }))
  const METRICS_STORE = `dynamodb://${TABLE}?region=eu-central-1&endpoint=${server.url}`
  const run = (...args: string[]) => runCommand(metricsCommand(), args, { DATABASE_URL: url, METRICS_STORE })
  for (let again = 0; again < 2; again++) {
    expect(await run('create-table')).toMatchObject({ code: 0, text: `The table ${TABLE} of DynamoDB is ready.\n` })
  }
  await upsert(db, [product({ seller_id: 'north', quantity: 1 })])
  await foldAndRecord(db, history)
  const low = JSON.parse((await run('low-stock', '--history')).text) as { recorded_at: string }[]
  expect(low).toMatchObject([{ low_stock_count: 1 }])
  const at = low[0]!.recorded_at
  expect(JSON.parse((await run('low-stock', '--at', at)).text)).toMatchObject({ low_stock: { low_stock_count: 1 } })
  expect(await metricsAnswer({ db, history }, { low_stock: true, at })).toMatchObject({ recorded_at: at })
  expect((await sql`select from product_metric_history`.execute(db)).rows).toEqual([])
  await client.send(new DeleteTableCommand({ TableName: TABLE }))
  expect(await run('low-stock', '--at', at)).toMatchObject({
    code: 1,
    text: expect.stringContaining('ResourceNotFoundException'),
  })
})
