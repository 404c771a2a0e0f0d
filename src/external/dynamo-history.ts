import { setTimeout as sleep } from 'node:timers/promises'
import {
  type AttributeValue,
  BatchWriteItemCommand,
  type DynamoDBClient,
  QueryCommand,
  UpdateItemCommand,
  type WriteRequest,
} from '@aws-sdk/client-dynamodb'
import { DecidedError } from '../contract/decided-error.ts'
import { DAY_MS } from '../contract/fields/time.ts'
import type { HistoryRange, MetricHistory, NextState, RecordedState } from '../contract/metric-history.ts'
import { HISTORY_DAYS, type MetricState } from '../contract/product-metrics.ts'
import { dynamoProblem } from './dynamo-problem.ts'
import { createDynamoClient, type DynamoPlace, PARTITION_KEY, SORT_KEY, STATE, TIME_TO_LIVE } from './dynamo-table.ts'

/** Each takes 0.4 ms of CPU, so that their answers hold the event loop for a few milliseconds when they come together. */
const UPDATES_AT_ONCE = 8
/** More items in a batch are refused. */
const BATCH_ITEMS_MAX = 25
/** With pauses of up to 50 ms, 100 ms … 3.2 s an overloaded table is waited for some 4 s; then the task makes another attempt. */
const SENT_AGAIN_MAX = 7
const PAUSE_MS = 50
const SORT_KEY_PREFIX = 'METRICS#'
/** Between 2001 and 2286 milliseconds have 13 digits, so that they are sorted as numbers are. */
const [MS_MIN, MS_MAX] = [1_000_000_000_000, 9_999_999_999_999]

type Item = Record<string, AttributeValue>

export interface DynamoHistory extends MetricHistory {
  /** Ends its connections. */
  close: () => void
}

/**
 * The states of metrics in a table of DynamoDB. Its calls throw a DecidedError unavailable when the table cannot be used.
 */
export function createDynamoHistory(place: DynamoPlace): DynamoHistory {
  const client = createDynamoClient(place)
  const { table } = place
  return {
    keep: (states) => orUnavailable(table, () => keepStates(client, table, states)),
    at: (key, atMs) => orUnavailable(table, () => stateAt(client, table, key, atMs)),
    series: (key, range) => orUnavailable(table, () => statesIn(client, table, key, range)),
    close: () => client.destroy(),
  }
}

async function orUnavailable<T>(table: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    throw new DecidedError('unavailable', `the table ${table} of DynamoDB cannot be used (${dynamoProblem(cause)})`, { cause })
  }
}

async function keepStates(client: DynamoDBClient, table: string, states: readonly NextState[]): Promise<void> {
  for (const some of inParts(states, UPDATES_AT_ONCE)) {
    await Promise.all(some.map((state) => keepState(client, table, state)))
  }
  for (const items of inParts(states.flatMap(replacedItem), BATCH_ITEMS_MAX)) await putAll(client, table, items)
}

function* inParts<T>(all: readonly T[], size: number): Generator<T[]> {
  for (let from = 0; from < all.length; from += size) yield all.slice(from, from + size)
}

/** An update, because a put would take the expiry away again when a late attempt repeats it after the state was replaced. */
async function keepState(client: DynamoDBClient, table: string, { key, atMs, state }: RecordedState): Promise<void> {
  await client.send(
    new UpdateItemCommand({
      TableName: table,
      Key: keyOf(key, atMs),
      UpdateExpression: 'SET #state = :state',
      ExpressionAttributeNames: { '#state': STATE },
      ExpressionAttributeValues: { ':state': { S: JSON.stringify(state) } },
    }),
  )
}

/** The state that another one replaced, with its expiry: the same in every attempt. */
function replacedItem({ key, atMs, replaced }: NextState): Item[] {
  if (replaced === undefined) return []
  const expiresSecond = Math.ceil((atMs + HISTORY_DAYS * DAY_MS) / 1_000)
  const state = { [STATE]: { S: JSON.stringify(replaced.state) }, [TIME_TO_LIVE]: { N: String(expiresSecond) } }
  return [{ ...keyOf(key, replaced.atMs), ...state }]
}

/** Puts at most a batch of items, and sends again what DynamoDB did not take. @throws when it still does not take them. */
async function putAll(client: DynamoDBClient, table: string, items: readonly Item[]): Promise<void> {
  let left: WriteRequest[] = items.map((Item) => ({ PutRequest: { Item } }))
  for (let attempt = 0; left.length > 0; attempt++) {
    if (attempt > SENT_AGAIN_MAX) throw new Error(`${left.length} items were not processed`)
    // A random time, so that concurrent writers do not come back at the same moment.
    if (attempt > 0) await sleep(Math.random() * PAUSE_MS * 2 ** (attempt - 1))
    const answer = await client.send(new BatchWriteItemCommand({ RequestItems: { [table]: left } }))
    left = answer.UnprocessedItems?.[table] ?? []
  }
}

/** When the newest state by then has expired, all earlier ones have, because they were replaced before it. */
async function stateAt(client: DynamoDBClient, table: string, key: string, atMs: number): Promise<RecordedState | undefined> {
  const { Items: items = [] } = await client.send(
    new QueryCommand({ ...newestFirst(table, key, { fromMs: MS_MIN, untilMs: atMs }), Limit: 1 }),
  )
  return items.filter(isKept).map(recordedOf)[0]
}

async function statesIn(client: DynamoDBClient, table: string, key: string, range: HistoryRange): Promise<RecordedState[]> {
  const { fromMs, toMs, limit } = range
  const query = newestFirst(table, key, { fromMs, untilMs: toMs - 1 })
  const states: RecordedState[] = []
  let last: Item | undefined
  do {
    const page = await client.send(
      new QueryCommand({ ...query, Limit: limit - states.length, ...(last !== undefined && { ExclusiveStartKey: last }) }),
    )
    const items = page.Items ?? []
    const kept = items.filter(isKept)
    states.push(...kept.map(recordedOf))
    // What follows an expired state is older, and has expired too.
    last = kept.length < items.length ? undefined : page.LastEvaluatedKey
  } while (last !== undefined && states.length < limit)
  return states
}

/** A query of the items of a key between two times, both included. */
function newestFirst(table: string, key: string, { fromMs, untilMs }: { fromMs: number; untilMs: number }) {
  return {
    TableName: table,
    KeyConditionExpression: `${PARTITION_KEY} = :key and ${SORT_KEY} between :from and :until`,
    ExpressionAttributeValues: { ':key': { S: key }, ':from': { S: sortKeyOf(fromMs) }, ':until': { S: sortKeyOf(untilMs) } },
    ScanIndexForward: false,
    // A state that was kept is read at once.
    ConsistentRead: true,
  }
}

/** DynamoDB deletes expired items within days. */
function isKept({ [TIME_TO_LIVE]: expires }: Item): boolean {
  return expires === undefined || Number(expires.N) * 1_000 > Date.now()
}

function recordedOf({ [PARTITION_KEY]: key, [SORT_KEY]: sortKey, [STATE]: state }: Item): RecordedState {
  return {
    key: key!.S!,
    atMs: Number(sortKey!.S!.slice(SORT_KEY_PREFIX.length)),
    state: JSON.parse(state!.S!) as MetricState,
  }
}

function keyOf(key: string, atMs: number): Item {
  return { [PARTITION_KEY]: { S: key }, [SORT_KEY]: { S: sortKeyOf(atMs) } }
}

function sortKeyOf(atMs: number): string {
  return SORT_KEY_PREFIX + String(Math.min(MS_MAX, Math.max(MS_MIN, atMs)))
}
