import type { Rejection } from './rows.ts'
import { toWritable } from '../contract/fields/json.ts'

/** The result of checking an item: a row for the store, or the reason why it is rejected. */
export type Verdict<Row> = { row: Row } | { rejection: Pick<Rejection, 'code' | 'field' | 'message'> }

export interface Judged<Row> {
  rows: Row[]
  /** With the items as they were sent. */
  rejections: (Rejection & { item: unknown })[]
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
