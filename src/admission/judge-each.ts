import type { Rejection } from './rows.ts'
import { toWritable } from '../contract/json.ts'

/** What an item comes to: a row that the store takes, or the reason why it takes none. */
export type Verdict<Row> = { row: Row } | { rejection: Pick<Rejection, 'code' | 'field' | 'message'> }

export interface Judged<Row> {
  rows: Row[]
  /** Each with the item as it was sent. */
  rejections: (Rejection & { item: unknown })[]
}

/** Judges each item of a call by itself, so that a wrong item never holds up its neighbours. */
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
