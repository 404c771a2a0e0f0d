import { toWritable } from '../contract/fields/json.ts'
import type { ItemProblem, NewRejection } from './rows.ts'

/** The result of checking an item: a row for the store, or the reason why it is rejected. */
export type Verdict<Row> = { row: Row } | { rejection: ItemProblem }

export interface Judged<Row> {
  rows: Row[]
  rejections: NewRejection[]
}

/** Checks each item of a call alone, so that a wrong item does not reject the others. */
export function judgeEach<Row>(items: readonly unknown[], judge: (item: unknown, index: number) => Verdict<Row>): Judged<Row> {
  const judged: Judged<Row> = { rows: [], rejections: [] }
  for (const [index, sent] of items.entries()) {
    const item = toWritable(sent)
    const verdict = judge(item, index)
    if ('row' in verdict) judged.rows.push(verdict.row)
    else judged.rejections.push({ index, ...verdict.rejection, item })
  }
  return judged
}
