import { KINDS } from '../contract/kinds.ts'
import { normalisedQuery, type Search } from '../contract/search.ts'
import type { Judged } from './judge-each.ts'
import { judgeLogged, type NewEventId } from './logged-event.ts'
import type { NewSearch } from './rows.ts'

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
