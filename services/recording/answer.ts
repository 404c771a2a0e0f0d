import type { CreateInteractionResponse, RejectedItem } from '../../src/contract/interaction.ts'

export interface Outcome {
  accepted: number
  duplicateIndexes: number[]
  /** In any order. Fields that the answer does not have are left out. */
  rejected: readonly RejectedItem[]
}

/** The answer to a call that recorded items. */
export function recordedAnswer({ accepted, duplicateIndexes, rejected }: Outcome): CreateInteractionResponse {
  return {
    accepted,
    duplicates: duplicateIndexes.length,
    duplicate_indexes: duplicateIndexes,
    rejected: rejected
      .map(({ index, code, field, message }) => ({ index, code, field, message }))
      .toSorted((one, other) => one.index - other.index),
  }
}

/**
 * The result of a recording step as the journal keeps it. The rejected rows are in `refused`: a call that the release before left
 * half-way is replayed from such a journal, so its names stay.
 */
export function journalled<Step extends { rejected: unknown }>({ rejected, ...step }: Step) {
  return { ...step, refused: rejected as Step['rejected'] }
}
