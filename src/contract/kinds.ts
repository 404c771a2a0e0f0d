import type { z } from 'zod'
import { AnalyticsEvent } from './analytics-event.ts'
import { BATCH_ITEMS_MAX, Interaction } from './interaction.ts'
import { CALLBACKS_MAX, PaymentCallback } from './payment.ts'
import { Search, SEARCHES_MAX } from './search.ts'

/** How the kinds of recorded events differ. Their checks are in src/admission, and their statements in src/store. */
export interface KindFacts {
  schema: z.ZodObject
  /** An item in messages, e.g. "a search". */
  noun: string
  /** Items in help texts, e.g. "searches". */
  plural: string
  /** Part of the counter's name: footfall_<metric>_total. */
  metric: string
  /** The field of a request that lists the items. */
  list: string
  /** The handler of Analytic that records such a list. */
  handler: string
  /** Most items of a list. */
  itemsMax: number
  /** Whether the handler answers a list as a whole, and not each item on its own. */
  isAnsweredAsBatch: boolean
  /** Whether the log has a partitioned table that is called like the kind. */
  isLogged: boolean
  /** Whether rows are recorded in batches that wait to be counted. */
  isBatched: boolean
  /** Whether a batch is fed to the shopper profiles. */
  isFed: boolean
  /** Whether rejected items are kept, so that an operator can correct and replay them. */
  isKeptWhenRejected: boolean
}

/** Every kind of recorded event. Observers, metrics, queues, replays and partitions iterate over this table. */
export const KINDS = {
  interaction: {
    schema: Interaction,
    noun: 'an interaction',
    plural: 'interactions',
    metric: 'interactions',
    list: 'interactions',
    handler: 'CreateInteraction',
    itemsMax: BATCH_ITEMS_MAX,
    isAnsweredAsBatch: true,
    isLogged: true,
    isBatched: true,
    isFed: true,
    isKeptWhenRejected: true,
  },
  // Not fed to the profiles, because a search does not say what a shopper does with a product.
  search: {
    schema: Search,
    noun: 'a search',
    plural: 'searches',
    metric: 'searches',
    list: 'searches',
    handler: 'RecordSearches',
    itemsMax: SEARCHES_MAX,
    isAnsweredAsBatch: true,
    isLogged: true,
    isBatched: true,
    isFed: false,
    isKeptWhenRejected: true,
  },
  // A payment's batch has the interactions that follow from it.
  payment: {
    schema: PaymentCallback,
    noun: 'a payment callback',
    plural: 'payment callbacks',
    metric: 'payments',
    list: 'callbacks',
    handler: 'RecordPayments',
    itemsMax: CALLBACKS_MAX,
    isAnsweredAsBatch: false,
    isLogged: false,
    isBatched: false,
    isFed: true,
    isKeptWhenRejected: true,
  },
  analytics_event: {
    schema: AnalyticsEvent,
    noun: 'an analytics event',
    plural: 'analytics events',
    metric: 'analytics_events',
    list: 'events',
    handler: 'RecordEvents',
    itemsMax: BATCH_ITEMS_MAX,
    isAnsweredAsBatch: true,
    isLogged: true,
    isBatched: false,
    isFed: false,
    isKeptWhenRejected: false,
  },
} as const satisfies Record<string, KindFacts>

export type Kind = keyof typeof KINDS

/** The kinds for which a fact is true, e.g. `KindWith<'isBatched'>`. */
export type KindWith<Fact extends keyof KindFacts> = { [K in Kind]: (typeof KINDS)[K][Fact] extends true ? K : never }[Kind]

/** The same as a list, in alphabetical order. */
export function kindsWith<Fact extends keyof KindFacts>(fact: Fact): KindWith<Fact>[] {
  return (Object.keys(KINDS) as Kind[]).filter((kind) => KINDS[kind][fact]).sort() as KindWith<Fact>[]
}
