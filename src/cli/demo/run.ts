import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Popularity } from '../../contract/popularity.ts'
import { CATALOG_PRODUCTS } from './catalog.ts'
import type { IdentifiedEvent } from './event.ts'
import { assertGateway, type GatewayClient, createGatewayClient } from './gateway-client.ts'
import { historyOf } from './history.ts'
import { createLiveStream } from './live.ts'
import type { Screen } from './screen.ts'
import { shopOf, sleeperOf } from './shop.ts'
import { chapterAt } from './story.ts'
import { type Tally, tallyText } from './table.ts'

export interface DemoPlan {
  gatewayUrl: string
  key?: string | undefined
  seed: number
  /** Days of history before the hour of `nowMs`; 0 for none. */
  days: number
  nowMs: number
  /** Live events per second. */
  rate: number
  /** When to send live events, in milliseconds since the stream started. The demo ends with the last tick. */
  ticks: AsyncIterable<number> | Iterable<number>
  signal: AbortSignal
}

const HISTORY_BATCH_EVENTS = 500
/** After an outage the stream continues at its rate. Events of the outage are skipped, because nothing sent them. */
const CATCH_UP_MS_MAX = 2_000
const SHOW_EVERY_MS = 2_000
const STILL_READS_MAX = 40
const STILL_EVERY_MS = 250

/** Sends the catalog, the history, then the live stream, and shows the top list. @throws StartError when it cannot continue. */
export async function runDemo(plan: DemoPlan, screen: Screen): Promise<Tally> {
  const client = createGatewayClient({ ...plan, print: screen.print })
  const tally: Tally = { sent: 0, accepted: 0, duplicates: 0, rejected: 0 }
  const send = senderOf(client, tally)
  await assertGateway(plan.gatewayUrl)
  await sendCatalog(client, screen)
  if (plan.days > 0) await sendHistory(plan, send, screen, tally)
  await streamLive(plan, client, send, screen, tally)
  return tally
}

/** Yields the milliseconds since the start every `everyMs`, until `endMs` or the signal. */
export async function* clockTicks(everyMs: number, endMs: number, signal: AbortSignal): AsyncGenerator<number> {
  const startedAt = performance.now()
  const elapsedMs = () => performance.now() - startedAt
  for (; !signal.aborted && elapsedMs() < endMs; await sleep(everyMs, undefined, { signal }).catch(() => undefined)) {
    yield elapsedMs()
  }
}

type Send = (events: readonly IdentifiedEvent[]) => Promise<void>

function senderOf(client: GatewayClient, tally: Tally): Send {
  return async (events) => {
    if (events.length === 0) return
    tally.sent += events.length
    const answer = await client.record(events)
    if (answer === undefined) return
    tally.accepted += answer.accepted
    tally.duplicates += answer.duplicates
    tally.rejected += answer.rejected.length
  }
}

/** A failure does not end the demo, because a key may record and read and still have no right to change the catalog. */
async function sendCatalog(client: GatewayClient, screen: Screen): Promise<void> {
  const failed = await client.sell(CATALOG_PRODUCTS)
  screen.print(failed === undefined ? `Catalog: ${CATALOG_PRODUCTS.length} products.` : `Catalog: not sent. ${failed.problem}`)
}

async function sendHistory({ seed, days, nowMs, signal }: DemoPlan, send: Send, screen: Screen, tally: Tally): Promise<void> {
  const events = historyOf(shopOf(seed), { days, nowMs })
  screen.print(`History: ${events.length.toLocaleString('en')} events of the last ${days === 1 ? 'day' : `${days} days`}.`)
  for (let from = 0; from < events.length && !signal.aborted; from += HISTORY_BATCH_EVENTS) {
    await send(events.slice(from, from + HISTORY_BATCH_EVENTS))
  }
  screen.print(`History: ${tallyText(tally)}.`)
}

async function streamLive(plan: DemoPlan, client: GatewayClient, send: Send, screen: Screen, tally: Tally): Promise<void> {
  const { seed, rate, ticks, signal } = plan
  let top = await stillTop(client, signal)
  const startRanks = new Map(top.map(({ product_id }, index) => [product_id, index + 1]))
  const shop = shopOf(seed)
  const sleeper = sleeperOf(shop, new Map(top.map(({ product_id, score }) => [product_id, score])))
  // With as many visitors as events per second each visitor acts about once a second, and the crowd changes within seconds.
  const next = createLiveStream(shop, sleeper, Math.max(1, Math.round(rate)))
  let doneMs = 0
  let showAtMs = 0
  for await (const elapsedMs of ticks) {
    if (signal.aborted) break
    const { draw, storyOf } = chapterAt(elapsedMs)
    doneMs = Math.max(doneMs, elapsedMs - CATCH_UP_MS_MAX)
    const due = Math.floor(((elapsedMs - doneMs) * rate) / 1_000)
    doneMs += (due * 1_000) / rate
    await send(Array.from({ length: due }, () => next(draw, Date.now(), randomBytes(10))))
    if (elapsedMs < showAtMs) continue
    showAtMs = elapsedMs + SHOW_EVERY_MS
    top = (await client.top()) ?? top
    screen.show({ top, startRanks, sleeperId: sleeper.id, tally, story: storyOf(sleeper.id) })
  }
}

/** The top list once it stops changing, because the history is counted then. It gives up after 10 s: only the arrows and the sleeper depend on it. */
async function stillTop(client: GatewayClient, signal: AbortSignal): Promise<Popularity[]> {
  let top: Popularity[] | undefined
  let countedBefore: string | undefined
  for (let read = 0; read < STILL_READS_MAX && !signal.aborted; read++) {
    top = (await client.top()) ?? top
    const counted = JSON.stringify(top?.map(({ product_id, date_updated }) => [product_id, date_updated]))
    if (top !== undefined && counted === countedBefore) break
    countedBefore = counted
    await sleep(STILL_EVERY_MS, undefined, { signal }).catch(() => undefined)
  }
  return top ?? []
}
