import type { CreateInteractionResponse, ItemWarning, RejectedItem, UnweightedType } from '../../src/contract/interaction.ts'

export interface Outcome {
  accepted: number
  duplicateIndexes: number[]
  /** In any order. Fields that the answer does not have are left out. */
  rejected: readonly RejectedItem[]
  warnings?: readonly ItemWarning[]
  unweighted?: readonly UnweightedType[]
}

/** The answer to a call that recorded items. */
export function recordedAnswer(outcome: Outcome): CreateInteractionResponse {
  const { accepted, duplicateIndexes, rejected, warnings = [], unweighted = [] } = outcome
  const rejectedIndexes = new Set(rejected.map(({ index }) => index))
  const isRecorded = (index: number) => !rejectedIndexes.has(index)
  const warned = warnings.filter(({ index }) => isRecorded(index))
  const types = unweighted
    .map(({ event_type, indexes }) => ({ event_type, indexes: indexes.filter(isRecorded) }))
    .filter(({ indexes }) => indexes.length > 0)
  return {
    accepted,
    duplicates: duplicateIndexes.length,
    duplicate_indexes: duplicateIndexes,
    rejected: rejected
      .map(({ index, code, field, message }) => ({ index, code, field, message }))
      .toSorted((one, other) => one.index - other.index),
    ...(warned.length > 0 && { warnings: warned }),
    ...(types.length > 0 && { unweighted: types }),
  }
}

/**
 * The result of a recording step as the journal keeps it. The rejected rows are in `refused`: a call that the release before left
 * half-way is replayed from such a journal, so its names stay.
 */
export function journalled<Step extends { rejected: unknown }>({ rejected, ...step }: Step) {
  return { ...step, refused: rejected as Step['rejected'] }
}
