import { toWritable } from '../contract/fields/json.ts'
import type { LeftOut } from './parse-item.ts'
import type { ItemProblem, NewRejection, Warning } from './rows.ts'

/** The result of checking an item: a row for the store, or the reason why it is rejected. */
export type Verdict<Row> = { row: Row; leftOut?: readonly LeftOut[] } | { rejection: ItemProblem }

export interface Judged<Row> {
  rows: Row[]
  rejections: NewRejection[]
  /** Of rows that lack a field which was sent. */
  warnings: Warning[]
}

/** Checks each item of a call alone, so that a wrong item does not reject the others. */
export function judgeEach<Row>(items: readonly unknown[], judge: (item: unknown, index: number) => Verdict<Row>): Judged<Row> {
  const judged: Judged<Row> = { rows: [], rejections: [], warnings: [] }
  for (const [index, sent] of items.entries()) {
    const item = toWritable(sent)
    const verdict = judge(item, index)
    if ('row' in verdict) {
      judged.rows.push(verdict.row)
      for (const { field, message } of verdict.leftOut ?? []) judged.warnings.push({ index, field, message })
    } else judged.rejections.push({ index, ...verdict.rejection, item })
  }
  return judged
}
