import type { KindWith } from '../contract/kinds.ts'
import { judgeInteractions } from './interaction.ts'
import type { Judged } from './judge-each.ts'
import type { NewEventId } from './logged-event.ts'
import type { ItemProblem, LogRow } from './rows.ts'
import { judgeSearches } from './search.ts'

type Judge = (items: readonly unknown[], nowMs: number, newEventId: NewEventId) => Judged<LogRow>

/** How the items of each batched kind are checked. */
export const JUDGES = {
  interaction: judgeInteractions,
  search: judgeSearches,
} satisfies Record<KindWith<'isBatched'>, Judge>

/** Why an item will be rejected, as far as that can be known without the database; undefined for a valid item. */
export function problemOf(kind: KindWith<'isBatched'>, item: unknown, nowMs: number): ItemProblem | undefined {
  const [rejection] = JUDGES[kind]([item], nowMs, () => '').rejections
  return rejection && { code: rejection.code, field: rejection.field, message: rejection.message }
}
