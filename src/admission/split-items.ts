import type { CreateInteractionResponse, RejectedItem } from '../contract/interaction.ts'
import type { ItemProblem } from './rows.ts'

/** The items of a request, divided into those that are recorded and those that the gateway rejects itself. */
export interface SplitItems<Item> extends Split {
  recorded: readonly Item[]
}

export interface Split {
  /** The position of each recorded item in the request. */
  indexes: readonly number[]
  /** By their positions in the request. They are answered and not kept, so that they cost no disk. */
  rejected: readonly RejectedItem[]
}

/** `problemOf` says why the gateway rejects an item; undefined for an item that is recorded. */
export function splitItems<Item>(
  items: readonly Item[],
  problemOf: (item: Item, index: number) => ItemProblem | undefined,
): SplitItems<Item> {
  const split = { recorded: [] as Item[], indexes: [] as number[], rejected: [] as RejectedItem[] }
  for (const [index, item] of items.entries()) {
    const problem = problemOf(item, index)
    if (problem === undefined) {
      split.recorded.push(item)
      split.indexes.push(index)
    } else split.rejected.push({ index, ...problem })
  }
  return split
}

/** The answer to the whole request; `answer` is about its recorded items, by their positions among these. */
export function wholeAnswer(split: Split | undefined, answer: CreateInteractionResponse): CreateInteractionResponse {
  if (split === undefined || split.rejected.length === 0) return answer
  const { indexes, rejected } = split
  const recorded = answer.rejected.map((rejection) => ({ ...rejection, index: indexes[rejection.index]! }))
  return {
    ...answer,
    duplicate_indexes: answer.duplicate_indexes.map((index) => indexes[index]!),
    ...(answer.unweighted && {
      unweighted: answer.unweighted.map((type) => ({ ...type, indexes: type.indexes.map((index) => indexes[index]!) })),
    }),
    ...(answer.warnings && { warnings: answer.warnings.map((warning) => ({ ...warning, index: indexes[warning.index]! })) }),
    rejected: [...recorded, ...rejected].toSorted((one, other) => one.index - other.index),
  }
}

/** The answer about no items. */
export const NOTHING_RECORDED: CreateInteractionResponse = { accepted: 0, duplicates: 0, duplicate_indexes: [], rejected: [] }
