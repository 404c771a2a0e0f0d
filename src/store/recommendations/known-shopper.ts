import { HOUR_MS, millisecondsOf } from '../../contract/fields/time.ts'
import type { RecommendRequest } from '../../contract/recommendation.ts'
import { type History, historyOf } from '../../ranking/recommend/history.ts'
import type { RuleSettings, ShopperFacts } from '../../ranking/recommend/rules.ts'
import { SCORE_DEFAULTS } from '../../ranking/recommend/score.ts'
import type { ShopperEvent } from '../../ranking/shopper-event.ts'
import type { Queryable } from '../database/connection.ts'
import { readShopper } from './read-shopper.ts'
import { type ShownProduct, shownWithoutClick } from './shown-without-click.ts'

/** Reads the live events of a shopper whose events are kept under these ids; undefined when the layer did not answer. */
export type ReadLive = (shopperIds: readonly string[]) => Promise<readonly ShopperEvent[] | undefined>

/** What the shopper of a request did. */
export interface KnownShopper {
  history: History
  facts: ShopperFacts
  /** Whether live events may be missing. */
  isPartial: boolean
}

export interface ShopperSource {
  /** The types of events that count. */
  eventTypes: readonly string[]
  rules: RuleSettings
  live: ReadLive
  nowMs: number
}

const { historyMax } = SCORE_DEFAULTS

/** The shopper that the request names, or the one of the history that it brings. @throws DecidedError when the session is not of the account. */
export function knownShopper(db: Queryable, request: RecommendRequest, source: ShopperSource): Promise<KnownShopper> {
  return request.history === undefined
    ? namedShopper(db, request, source)
    : Promise.resolve(broughtShopper(request.history, source))
}

async function namedShopper(db: Queryable, named: RecommendRequest, source: ShopperSource): Promise<KnownShopper> {
  const { eventTypes, rules, live, nowMs } = source
  const read = await readShopper(db, named, { eventTypes, historyMax, orderedDays: rules.orderedDays, nowMs })
  const lately = await live(read.shopperIds)
  const ids = new Set(read.events.map(({ eventId }) => eventId))
  const events = [...read.events, ...(lately ?? []).filter(({ eventId }) => !ids.has(eventId))]
  const { profile, profileEvents, orderedAtMs } = read
  const history = historyOf({ events, profile, profileEvents, strengthOf: strengthsOf(source) }, historyMax)
  for (const { productId, eventType, occurredAtMs } of events) {
    if (eventType === ORDER) orderedAtMs.set(productId, Math.max(occurredAtMs, orderedAtMs.get(productId) ?? 0))
  }
  return {
    history,
    facts: {
      seen: seenIn(history, events),
      orderedAtMs,
      shown: named.rotation ? await timesShown(db, read.shopperIds, events, nowMs) : new Map(),
      nowMs,
    },
    isPartial: lately === undefined,
  }
}

/** How often each product was shown in the last hour, and no event of these or of the recent ones followed. */
async function timesShown(
  db: Queryable,
  shopperIds: readonly string[],
  events: readonly ShopperEvent[],
  nowMs: number,
): Promise<Map<string, number>> {
  const shown = await shownWithoutClick(db, shopperIds, nowMs - HOUR_MS)
  const isFollowed = (one: ShownProduct) =>
    events.some(({ productId, occurredAtMs }) => productId === one.productId && occurredAtMs >= one.shownAtMs)
  return new Map(shown.filter((one) => !isFollowed(one)).map(({ productId, times }) => [productId, times]))
}

type BroughtHistory = NonNullable<RecommendRequest['history']>

function broughtShopper(brought: BroughtHistory, source: ShopperSource): KnownShopper {
  const strengthOf = strengthsOf(source)
  const profile = brought.map(({ product_id: productId, event_type: eventType, occurred_at: occurredAt }) => {
    return { productId, eventType, lastAtMs: millisecondsOf(occurredAt) }
  })
  const profileEvents = profile.filter(({ eventType }) => strengthOf(eventType) > 0).length
  const history = historyOf({ events: [], profile, profileEvents, strengthOf }, historyMax)
  const orderedAtMs = new Map<string, number>()
  for (const { productId, eventType, lastAtMs } of profile) {
    if (eventType === ORDER) orderedAtMs.set(productId, Math.max(lastAtMs, orderedAtMs.get(productId) ?? 0))
  }
  return {
    history,
    facts: { seen: seenIn(history, profile), orderedAtMs, shown: new Map(), nowMs: source.nowMs },
    isPartial: false,
  }
}

/** The type of event that says that a product was ordered. */
const ORDER = 'purchase'

/** All types that count do so alike. */
function strengthsOf({ eventTypes }: ShopperSource): (eventType: string) => number {
  return (eventType) => (eventTypes.includes(eventType) ? 1 : 0)
}

/** The products of the history, and all others of the newest events. */
function seenIn({ items }: History, events: Iterable<{ productId: string }>): Set<string> {
  const seen = new Set(items.map(({ productId }) => productId))
  for (const { productId } of events) seen.add(productId)
  return seen
}
