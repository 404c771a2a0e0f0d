import { KINDS } from '../contract/kinds.ts'
import { normalisedQuery, type Search } from '../contract/search.ts'
import type { Judged } from './judge-each.ts'
import { judgeLogged, type NewEventId } from './logged-event.ts'
import type { LogRow } from './rows.ts'

/** A checked search. */
export interface NewSearch extends LogRow {
  query: string
  normalisedQuery: string
  accountId: string | null
  sessionId: string | null
  /** In the order of the page, each once. */
  productIds: readonly string[]
}

/** Checks each search of a call. `newEventId` makes the ids of items without one. */
export function judgeSearches(items: readonly unknown[], nowMs: number, newEventId: NewEventId): Judged<NewSearch> {
  return judgeLogged({ ...KINDS.search, columnsOf }, items, nowMs, newEventId)
}

function columnsOf(search: Search) {
  return {
    query: search.query,
    normalisedQuery: normalisedQuery(search.query),
    accountId: search.account_id ?? null,
    sessionId: search.session_id ?? null,
    productIds: [...new Set(search.product_ids)],
  }
}
